// Minnow - SPDX-License-Identifier: Apache-2.0
//
// A bar chart with its table, by hand. In: rows of a label and a number. Out: a <figure>.

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 380;
const LABEL = 124; // columns left of the bars
const VALUE = 74; // and right of the longest
const STEP = 30; // from bar to bar
const BAR = 20;

function svg(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

function html(name, ...children) {
  const element = document.createElement(name);
  element.append(...children);
  return element;
}

function bars(rows, title) {
  const height = rows.length * STEP + 4;
  const chart = svg('svg', {
    class: 'chart', viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', 'aria-label': `${title}; the table has the numbers`,
  });
  const most = Math.max(...rows.map((row) => row.value), Number.MIN_VALUE);
  for (const [i, row] of rows.entries()) {
    const y = i * STEP + 4;
    const length = Math.max(1, (row.value / most) * (WIDTH - LABEL - VALUE));
    chart.append(
      svg('text', { x: LABEL - 10, y: y + 15, 'text-anchor': 'end' }, row.label),
      svg('rect', { x: LABEL, y, width: length, height: BAR, rx: 3, fill: `var(--bar-${row.colour})` }),
      svg('text', { x: LABEL + length + 8, y: y + 15, class: 'value' }, row.shown),
    );
  }
  chart.append(svg('line', { class: 'axis', x1: LABEL, x2: LABEL, y1: 0, y2: height }));
  return chart;
}

/** @param {string[]} head @param {(string | number)[][]} body the first column names the row */
export function table(head, body) {
  const cell = (name, scope) => (text) => {
    const element = html(name, String(text));
    if (scope) element.scope = scope;
    return element;
  };
  const rows = body.map(([first, ...rest]) => html('tr', cell('th', 'row')(first), ...rest.map(cell('td'))));
  const scroll = html('div',
    html('table', html('thead', html('tr', ...head.map(cell('th', 'col')))), html('tbody', ...rows)));
  scroll.className = 'scroll';
  scroll.tabIndex = 0;
  return scroll;
}

/**
 * @param {object} chart
 * @param {string} chart.title
 * @param {string} chart.about what is measured, and which way is better
 * @param {{label: string, value: number, shown: string, colour: number}[]} chart.rows
 * @param {string[]} chart.head of the table
 * @param {(string | number)[][]} chart.body
 */
export function figure({ title, about, rows, head, body }) {
  const note = html('span', about);
  note.className = 'quiet';
  const element = html('figure', html('figcaption', html('strong', title), note), bars(rows, title), table(head, body));
  element.className = 'panel';
  return element;
}
