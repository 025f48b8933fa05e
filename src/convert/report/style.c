/* SPDX-License-Identifier: Apache-2.0
 * The page's style sheet. Colours have a contrast of at least 4.5 to 1 to what is behind them, where they carry text
 * or marks; nothing is told by colour alone: marks differ in shape or filling, limits are dashed, charts have
 * tables. */
#include "convert/report/parts.h"

const char *const report_style[] = {
    /* Colours. */
    ":root{color-scheme:light dark;--back:#fff;--panel:#f4f6f8;--ink:#1b2026;--soft:#59636e;--line:#dde2e7;"
        "--mark:#0f5ca8;--limit:#a33b0b;--shade:#a33b0b1f}"
    "@media(prefers-color-scheme:dark){:root{--back:#14171b;--panel:#1c2126;--ink:#e6e9ec;--soft:#a2adb8;"
        "--line:#2d343b;--mark:#6fb3f2;--limit:#f2a073;--shade:#f2a0732b}}\n",
    /* Page. */
    "*{box-sizing:border-box}"
    "html{scroll-behavior:smooth}"
    "body{margin:0;background:var(--back);color:var(--ink);font:16px/1.55 system-ui,sans-serif;"
        "overflow-wrap:break-word}"
    "main,footer{max-width:74rem;margin:0 auto;padding:1.5rem 1rem}"
    "footer{color:var(--soft);font-size:.875rem}"
    "h1{font-size:clamp(1.5rem,1.1rem + 1.8vw,2.25rem);line-height:1.2;margin:.1em 0 .5em;letter-spacing:-.01em}"
    "h2{font-size:1.375rem;margin:0 0 .5rem}"
    "h3{font-size:1.0625rem;margin:2rem 0 .25rem}"
    "p{max-width:46rem;margin:.25rem 0 1rem}"
    ".lead{font-size:1.125rem}"
    ".over{margin:0;color:var(--soft);font-weight:600}"
    ".note{color:var(--soft);margin:0 0 .75rem;font-size:.875rem}"
    "section{border-top:1px solid var(--line);padding:2rem 0 1rem;scroll-margin-top:.5rem}"
    "code{font-family:ui-monospace,monospace;font-size:.9em}"
    "a{color:var(--mark)}"
    ":focus-visible{outline:3px solid var(--mark);outline-offset:2px}"
    ".skip{position:absolute;left:-99rem}"
    ".skip:focus{position:static;display:block;padding:.5rem 1rem}"
    "@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}}\n",
    /* Tiles, contents, facts. */
    "dl,dd{margin:0}"
    "dt{color:var(--soft);font-size:.875rem}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(10rem,1fr));gap:.75rem;margin:1.25rem 0}"
    ".tiles div{background:var(--panel);border-radius:.5rem;padding:.75rem 1rem}"
    ".tiles b{display:block;font-size:1.5rem;line-height:1.3;font-variant-numeric:tabular-nums}"
    ".tiles span{color:var(--soft);font-size:.875rem}"
    "nav ol{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:0 0 1.5rem;padding:0;list-style:none}"
    "nav a{display:inline-block;padding:.25rem 0}"
    ".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:.75rem 2rem}"
    ".facts dd{font-variant-numeric:tabular-nums;overflow-wrap:anywhere}\n",
    /* Charts. */
    "figure{margin:0 0 .75rem;max-width:56rem;min-width:0}"
    "figcaption{font-size:.9375rem;font-weight:600;margin-bottom:.4rem;line-height:1.35}"
    "figcaption .key,figcaption span{font-weight:400;color:var(--soft);font-size:.875rem}"
    ".wide{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem 2.5rem;"
        "margin-bottom:.5rem}"
    ".small{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,10.5rem),1fr));gap:.5rem 1rem}"
    ".small figcaption{font-size:.8125rem;font-weight:400}"
    ".small span{display:block;font-size:.8125rem}"
    "svg{display:block;overflow:visible;max-width:none}"
    "svg text{font:12px system-ui,sans-serif;fill:var(--soft);font-variant-numeric:tabular-nums}"
    ".rows{margin-left:var(--room);width:calc(100% - var(--room) - 5rem)}"
    ".g4{--room:4rem}"
    ".g6{--room:5.5rem}"
    ".g9{--room:7.25rem}"
    ".histogram{margin-left:3.25rem;width:calc(100% - 4rem)}"
    "svg .label{text-anchor:end;fill:var(--ink);font-size:13px}"
    "svg .number{fill:var(--ink);paint-order:stroke;stroke:var(--back);stroke-width:3px}"
    "svg .tick,svg .axis{text-anchor:middle}"
    "svg .share{text-anchor:end;font-size:11px}"
    ".grid{stroke:var(--line)}"
    ".zero{stroke:var(--soft)}"
    ".join{stroke:var(--soft);stroke-width:2}"
    ".limit{stroke:var(--limit);stroke-width:1.5;stroke-dasharray:4 3}"
    ".under{stroke:var(--back);stroke-width:3.5}"
    ".outside{fill:var(--shade)}"
    ".bars,rect.filled,circle.filled{fill:var(--mark)}"
    "rect.hollow,circle.hollow,path.hollow{fill:var(--back);stroke:var(--mark);stroke-width:1.75}"
    ".key i{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 .4em;border:2px solid var(--mark);"
        "vertical-align:-.05em}"
    ".key .filled{background:var(--mark)}"
    ".key .round{border-radius:50%}"
    ".key .diamond{transform:rotate(45deg) scale(.85)}"
    ".key .dashes{width:0;height:1em;border:0;border-left:2px dashed var(--limit);vertical-align:-.15em}\n",
    /* Tables. */
    "details{margin:.125rem 0}"
    "summary{cursor:pointer;color:var(--mark);padding:.25rem 0;width:fit-content}"
    ".scroll{overflow:auto;max-height:28rem;border:1px solid var(--line);border-radius:.375rem;width:fit-content;"
        "max-width:100%}"
    "table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3rem .75rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}"
    "th:first-child,.t{text-align:left}"
    "thead th{position:sticky;top:0;background:var(--panel);vertical-align:bottom}"
    "thead th:not(.n){text-align:left}"
    "tbody th{font-weight:500}"
    "tbody tr:last-child>*{border-bottom:0}\n",
    /* Paper. */
    "@media print{:root{--back:#fff;--panel:#f4f6f8;--ink:#000;--soft:#444;--line:#ccc;--mark:#0f5ca8;"
        "--limit:#a33b0b;--shade:#a33b0b1f}body{font-size:11pt}nav,.skip{display:none}figure,tr,.tiles div{"
        "break-inside:avoid}h2,h3{break-after:avoid}.scroll{max-height:none;overflow:visible}svg,i,.tiles div{"
        "print-color-adjust:exact;-webkit-print-color-adjust:exact}details:not([open]){display:none}}\n",
    NULL,
};
