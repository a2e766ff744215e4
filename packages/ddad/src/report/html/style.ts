/** The style of a report: light or dark as the reader's system is, and black on white on paper. */
import { Html } from "./html.ts";

const light = "--paper:#fff;--ink:#1c2026;--faint:#5c6672;--line:#d5dae0;--good:#2f6fb7;--defective:#c4500c;";
const dark =
  "--paper:#15181c;--ink:#e6e9ed;--faint:#9aa5b1;--line:#353c45;--good:#6aa9ee;--defective:#f0894a;";

export const style = new Html(`
:root{color-scheme:light dark;${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
@media print{:root{color-scheme:light;${light}}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem;max-width:76rem;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0 0 .5rem}
h2{font-size:1.25rem;margin:2.5rem 0 .5rem;padding-top:.75rem;border-top:2px solid var(--line);overflow-wrap:anywhere}
h3{font-size:1rem;margin:1.5rem 0 .5rem}
p{margin:.4rem 0}
a{color:inherit}
.faint{color:var(--faint)}
.path{overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.5rem 0}
th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;white-space:nowrap}
th{font-weight:600;white-space:normal}
th.group{text-align:center}
th.text,td.text{text-align:left;white-space:normal;overflow-wrap:break-word}
td small{display:block;color:var(--faint)}
tr.mean{font-weight:600}
tr.control td{color:var(--faint)}
tr.control td.text{padding-left:1.5rem}
.plots{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0}
.plots figure{flex:1 1 18rem;max-width:26rem}
figcaption{font-size:.85rem;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;font:11px system-ui,sans-serif}
svg text{fill:var(--faint)}
svg .x,svg .label{text-anchor:middle}
svg .y,svg .end{text-anchor:end}
svg .mark{fill:var(--ink)}
svg path{fill:none;stroke:var(--faint)}
svg .grid{stroke:var(--line);stroke-width:.5}
svg .guide{stroke-dasharray:3 3}
svg .curve{stroke:var(--good);stroke-width:2;stroke-linejoin:round}
svg .threshold{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:5 3}
svg .dot{fill:var(--defective);stroke:var(--paper)}
svg .good{fill:var(--good)}
svg .defective{fill:var(--defective)}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(22rem,1fr));gap:1rem}
.gallery img{display:block;max-width:100%;height:auto;background:#fff}
.decisions{margin-top:1rem}
.outdated{color:var(--defective);font-weight:600}
td small.outdated{color:var(--defective)}
.side{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;align-items:flex-start}
details{margin:1rem 0}
summary{cursor:pointer;font-weight:600}
.glossary{margin:.5rem 0}
.glossary div{display:flex;flex-wrap:wrap;gap:0 .75rem;margin:.2rem 0}
.glossary dt{font-weight:600;flex:0 0 9rem}
.glossary dd{margin:0;flex:1 1 18rem}
.list{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.5rem}
.list .line{grid-column:1/-1;margin:.25rem 0;padding-top:.25rem;border-top:2px dashed var(--ink);font-weight:600}
.card{border:1px solid var(--line);border-radius:3px;padding:.35rem}
.card.wrong{border:2px solid var(--defective)}
.card .mistake{color:var(--defective)}
.card figcaption{font-size:.8rem;line-height:1.35}
.thumbnail{display:block;width:100%;max-width:12rem;height:auto;margin-bottom:.25rem}
.settings{columns:20rem;column-gap:2rem;margin:0;font-size:.85rem}
.settings div{break-inside:avoid;display:flex;gap:.75rem;justify-content:space-between;border-bottom:1px solid var(--line)}
.settings dd{margin:0;text-align:right;overflow-wrap:anywhere}
@media print{
body{max-width:none;padding:0;font-size:10pt}
h2,h3{break-after:avoid}
table{font-size:7.5pt}
th,td{padding:.15rem .25rem}
th.text,td.text{overflow-wrap:anywhere;min-width:4.5rem}
tr,figure{break-inside:avoid}
.run{break-before:page}
.scroll{overflow:visible}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
`);
