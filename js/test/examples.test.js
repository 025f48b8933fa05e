// Minnow - SPDX-License-Identifier: Apache-2.0
// examples/js in Node, with the package as it is built; those for browsers are run by
// tests/browser/scenarios/examples.mjs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { modelPath } from './fixtures.js';

const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const skip = !existsSync(here('../dist/index.js')) && 'not built: make js';

test('examples/js/node.mjs: the texts, the best one first', { skip }, () => {
  const app = mkdtempSync(join(tmpdir(), 'minnow-example-'));
  try {
    mkdirSync(join(app, 'node_modules'));
    symlinkSync(here('..'), join(app, 'node_modules/minnow-embed'), 'dir');
    copyFileSync(here('../../examples/js/node.mjs'), join(app, 'node.mjs'));
    const args = ['node.mjs', modelPath, 'What shipping costs'];
    const lines = execFileSync(process.execPath, args,
      { cwd: app, encoding: 'utf8', timeout: 60_000 }).trim().split('\n');
    assert.equal(lines.length, 3);
    assert.equal(lines[0], '1.000 What shipping costs');
    const scores = lines.map((line) => Number(line.split(' ')[0]));
    assert.ok(scores[0] >= scores[1] && scores[1] >= scores[2], lines.join('; '));
  } finally {
    rmSync(app, { recursive: true, force: true });
  }
});
