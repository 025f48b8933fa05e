// Minnow - SPDX-License-Identifier: Apache-2.0
// A network that is slower than loopback: what a server's answers wait for.

/** Of the line that may be made up for: timers oversleep. */
const BURST_MS = 20;

/**
 * @typedef {object} Link
 * @property {() => Promise<void>} arrive waits for one latency
 * @property {(bytes: number) => Promise<void>} take waits until so many bytes have passed
 */

/**
 * A token bucket, and a latency: each answer waits once for the latency; then bytes pass at the given rate, whichever
 * connection they are of, in the order in which they asked.
 * @param {{bytesPerSecond: number, latencyMs?: number}} options
 * @returns {Link}
 */
export function rateLimited({ bytesPerSecond, latencyMs = 0 }) {
  let free = 0; // when the last byte taken has passed, by performance.now
  /** @param {number} time @returns {Promise<void>} */
  const until = (time) => new Promise((resolve) => {
    if (time > performance.now()) setTimeout(resolve, time - performance.now());
    else resolve();
  });
  return {
    arrive: () => until(performance.now() + latencyMs),
    take: (bytes) => {
      free = Math.max(free, performance.now() - BURST_MS) + (1000 * bytes) / bytesPerSecond;
      return until(free);
    },
  };
}
