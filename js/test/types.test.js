// Minnow - SPDX-License-Identifier: Apache-2.0
// Types of what is not in the package: scripts of pages, of measurements and of browser tests
// (tests/browser/tsconfig.json).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';

const at = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const [tsc, types, project] =
  ['../node_modules/typescript/bin/tsc', '../types/index.d.ts', '../../tests/browser'].map(at);
const skip = !(existsSync(tsc) && existsSync(types) && existsSync(project)) && 'not built: npm run types';

test('scripts of web/, bench/browser and tests/browser', { skip }, () => {
  const { status, stdout } = spawnSync(process.execPath, [tsc, '--project', project], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});
