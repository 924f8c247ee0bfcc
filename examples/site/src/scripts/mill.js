// Ties the tide to the picture, the figures and the chart: the present moment, or the hour that is picked.
import { drawChart } from './chart.js';
import { inWords, millDay } from './tide.js';

const HOURS = 25;
/** Metres of water to units of the picture: 0 m stands at 486, 6.6 m at 308. */
const waterLine = (level) => 486 - level * 27;

export function startMill(document) {
  const find = (name) => document.querySelector(`[data-${name}]`);
  const scene = find('mill');
  const slider = document.querySelector('#hour');
  const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
  let steps = millDay(Date.now(), HOURS);
  let chart = drawChart(find('chart'), steps, clock);

  const show = () => {
    const at = Number(slider.value);
    const step = steps[at];
    scene.style.setProperty('--sea', `${waterLine(step.sea)}px`);
    scene.style.setProperty('--pond', `${waterLine(step.pond)}px`);
    scene.classList.toggle('works', step.works);
    find('state').textContent = inWords(step);
    find('sea').textContent = step.sea.toFixed(1);
    find('pond').textContent = step.pond.toFixed(1);
    find('work').textContent = (steps.filter((s) => s.works).length / 12).toFixed(1);
    const said = at === 0 ? 'now' : clock.format(step.time);
    find('time').textContent = said;
    slider.setAttribute('aria-valuetext', said);
    chart.point(at);
  };

  slider.addEventListener('input', show);
  find('scrub').hidden = false;
  scene.classList.add('live');
  show();

  const draw = () => {
    chart = drawChart(find('chart'), steps, clock);
    show();
  };
  let width = find('chart').clientWidth;
  addEventListener('resize', () => {
    if (find('chart').clientWidth === width) return;
    width = find('chart').clientWidth;
    draw();
  });
  setInterval(() => {
    if (document.hidden || slider.value !== '0') return;
    steps = millDay(Date.now(), HOURS);
    draw();
  }, 60_000);
}
