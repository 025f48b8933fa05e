// Minnow - SPDX-License-Identifier: Apache-2.0
// node --test in the words that scripts/run-tests.sh counts: failures whole, and the sums.

/**
 * @param {AsyncIterable<any>} events
 */
export default async function* reporter(events) {
  const counts = { PASSED: 0, FAILED: 0, SKIPPED: 0 };
  for await (const { type, data } of events) {
    if (type === 'test:stderr' || type === 'test:stdout') yield data.message;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details.type === 'suite') continue;
    const what = type === 'test:fail' ? 'FAILED' : data.skip !== undefined ? 'SKIPPED' : 'PASSED';
    counts[what]++;
    if (what === 'FAILED') {
      const { error } = data.details;
      yield `failed: ${data.file}: ${data.name}\n${error?.cause?.stack ?? error?.stack ?? error}\n`;
    }
    if (what === 'SKIPPED') yield `skipped: ${data.name}: ${data.skip}\n`;
  }
  if (counts.SKIPPED > 0) yield `[  SKIPPED ] ${counts.SKIPPED} test(s)\n`;
  if (counts.FAILED > 0) yield `[  FAILED  ] ${counts.FAILED} test(s)\n`;
  yield `[  PASSED  ] ${counts.PASSED} test(s).\n`;
}
