(() => {
'use strict';
const get = (id) => document.getElementById(id);
const findings = [...document.querySelectorAll('article')];
const files = [...document.querySelectorAll('details[data-file]')];
const boxes = [...document.querySelectorAll('input[name=severity]')];
const bar = get('bar'), file = get('file'), words = get('words'), told = get('status'), help = get('help'), keys = get('keys');
let texts = null, at = -1;
const filter = () => {
  const on = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const wanted = words.value.trim().toLowerCase();
  if (wanted && !texts) texts = findings.map((one) => (one.textContent + ' ' + one.dataset.place).toLowerCase());
  let shown = 0;
  findings.forEach((one, i) => {
    const keep = on.has(one.dataset.severity) && (!file.value || one.dataset.file === file.value) && (!wanted || texts[i].includes(wanted));
    one.hidden = !keep;
    if (keep) shown += 1;
  });
  files.forEach((one) => { one.hidden = Boolean(file.value) && one.dataset.file !== file.value; });
  told.textContent = shown + ' of ' + findings.length + ' findings shown';
};
const go = (step) => {
  const seen = document.activeElement && document.activeElement.closest('article');
  if (seen) at = findings.indexOf(seen);
  for (let i = at + step; i >= 0 && i < findings.length; i += step) {
    const one = findings[i];
    if (one.hidden) continue;
    at = i;
    one.closest('details').open = true;
    one.focus({ preventScroll: true });
    const place = () => one.scrollIntoView({ block: 'nearest' });
    place();
    // What was not laid out before may be of another height now.
    requestAnimationFrame(place);
    return;
  }
};
document.addEventListener('keydown', (event) => {
  const field = event.target.closest('input[type=search],select,textarea');
  if (event.key === 'Escape' && field) { field.blur(); return; }
  if (field || help.open || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !keys.checked) return;
  const act = { j: () => go(1), k: () => go(-1), '/': () => words.focus(), '?': () => help.showModal() }[event.key];
  if (act) { event.preventDefault(); act(); }
});
bar.addEventListener('input', filter);
bar.addEventListener('submit', (event) => event.preventDefault());
get('keys-button').addEventListener('click', () => help.showModal());
get('close').addEventListener('click', () => help.close());
bar.parentElement.hidden = false;
filter();
})();
