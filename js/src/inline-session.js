// Minnow - SPDX-License-Identifier: Apache-2.0
// A session in the calling thread, as what a Minnow runs on. A file of its own in the package, which index.js loads
// only where there is no worker.
import { Session } from './session.js';

/**
 * @param {import('./minnow.js').Wanted} wanted
 * @param {string} reason why not in a worker
 * @returns {Promise<import('./minnow.js').Backend>}
 */
export async function loadInline({ settings, options }, reason) {
  const { onProgress, signal } = options;
  const session = await Session.load(settings, { onProgress, signal });
  return {
    info: session.info,
    run: (call) => session.run(call),
    memoryBytes: async () => session.memoryBytes,
    close: async () => session.close(),
    worker: 'inline',
    reason,
  };
}
