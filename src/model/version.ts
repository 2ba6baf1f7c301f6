/** The release this code belongs to; `package.json` says the same, held to it by a test. */
export const version = '0.1.0'
