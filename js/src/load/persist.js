// Minnow - SPDX-License-Identifier: Apache-2.0
// Asks the browser not to evict what this origin stores. Only a page may ask: what runs in a worker leaves it to the
// page.

/**
 * @param {unknown} cache the option; asks if it is an object whose `persist` is true
 * @returns {Promise<void>} never rejects: a browser may say no
 */
export async function persistIfAsked(cache) {
  if (typeof cache !== 'object' || cache === null || !('persist' in cache) || cache.persist !== true) return;
  try {
    await globalThis.navigator?.storage?.persist?.();
  } catch {
    // Then it may evict.
  }
}
