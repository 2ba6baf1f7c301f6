import { expect, test } from 'vitest'
import { pathVariables, pluginPaths, readPaths } from './paths.ts'

test('without variables everything lies where Debian expects it', () => {
  const paths = readPaths({ WEAVE_RUN_DIR: '' })
  expect(paths).toMatchObject({
    settingsFile: '/var/lib/weave/settings.json',
    routerSocket: '/run/weave/weave.sock',
    routerLogFile: '/var/log/weave/router.log',
  })
  expect(pluginPaths(paths, 'blue')).toEqual({
    stateFile: '/var/lib/weave/plugins/blue.json',
    pidFile: '/run/weave/plugin-blue.pid',
    faultFile: '/run/weave/plugin-blue.fault.json',
    logFile: '/var/log/weave/plugin-blue.log',
  })
  expect(pathVariables(paths)).toEqual({})
})

test('a moved directory is found again by a child that gets the variables', () => {
  const paths = readPaths({ WEAVE_STATE_DIR: '/a', WEAVE_LOG_DIR: '/b' })
  expect(paths.storeDir).toBe('/a/store')
  expect(readPaths(pathVariables(paths))).toEqual(paths)
})
