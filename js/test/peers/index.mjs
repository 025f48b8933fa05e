// Minnow - SPDX-License-Identifier: Apache-2.0
// Imports what is installed in this folder (npm ci --ignore-scripts here), for tests that lie elsewhere.

import { existsSync } from 'node:fs';

/** For the `skip` of a test that needs them. @type {string | false} */
export const missing = existsSync(new URL('node_modules/', import.meta.url))
  ? false
  : 'test/peers is not installed: npm ci --ignore-scripts in it';

/**
 * @param {string} name as an import statement in this folder would say
 * @returns {Promise<any>}
 */
export function peer(name) {
  return import(name);
}
