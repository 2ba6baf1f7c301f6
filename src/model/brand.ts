/** Gives a plain value a type of its own, so that an address cannot be passed where an ID belongs. */

declare const brand: unique symbol

export type Branded<T, Name extends string> = T & { readonly [brand]: Name }
