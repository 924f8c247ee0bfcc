// The day as a chart: the sea, the pond, and when the mill works.
const HEIGHT = 240;
const BASE = 206;
const METRE = 27;
const NS = 'http://www.w3.org/2000/svg';

function make(name, attributes, text) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Draws the steps into the element; gives `point(index)`, which moves the marker. */
export function drawChart(parent, steps, clock) {
  const width = Math.max(280, parent.clientWidth);
  const x = (index) => (index / (steps.length - 1)) * width;
  const y = (level) => BASE - level * METRE;
  const line = (key) => steps.map((step, index) => `${index === 0 ? 'M' : 'L'}${x(index).toFixed(1)} ${y(step[key]).toFixed(1)}`).join('');
  const works = spans(steps).map(([from, to]) => `${clock.format(steps[from].time)} to ${clock.format(steps[to].time)}`);

  const svg = make('svg', {
    viewBox: `0 0 ${width} ${HEIGHT}`,
    role: 'img',
    'aria-label': `The next 25 hours. The mill works from ${works.join(', and from ')}.`,
  });
  for (const level of [0, 2, 4, 6]) {
    svg.append(make('path', { class: 'grid', d: `M0 ${y(level)}H${width}` }), make('text', { x: 4, y: y(level) - 5 }, `${level} m`));
  }
  for (const [from, to] of spans(steps)) svg.append(make('rect', { class: 'work', x: x(from), y: 12, width: x(to) - x(from), height: BASE - 12, rx: 6 }));
  svg.append(make('path', { class: 'sea-area', d: `${line('sea')}L${width} ${BASE}L0 ${BASE}z` }));
  svg.append(make('path', { class: 'pond-line', d: line('pond') }), make('path', { class: 'sea-line', d: line('sea') }));
  const apart = width < 600 ? 72 : 36;
  for (let index = apart / 2; index < steps.length - 12; index += apart) {
    svg.append(make('text', { class: 'hour', x: x(index), y: HEIGHT - 8, 'text-anchor': 'middle' }, clock.format(steps[index].time)));
  }
  const marker = make('path', { class: 'marker', d: `M0 8V${BASE}` });
  const dot = make('circle', { class: 'dot', r: 7 });
  svg.append(marker, dot);
  parent.replaceChildren(svg);
  return {
    point(index) {
      marker.setAttribute('transform', `translate(${x(index)} 0)`);
      dot.setAttribute('cx', x(index));
      dot.setAttribute('cy', y(steps[index].sea));
    },
  };
}

/** First and last index of each stretch of work. */
function spans(steps) {
  const found = [];
  steps.forEach((step, index) => {
    if (!step.works) return;
    const last = found.at(-1);
    if (last && last[1] === index - 1) last[1] = index;
    else found.push([index, index]);
  });
  return found;
}
