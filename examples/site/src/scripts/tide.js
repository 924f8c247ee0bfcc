// The tide of an imagined harbour, and the mill that works by it. Pure functions: time in, metres out.

/** Harmonic constituents: the moon and the sun, each with its amplitude in metres and its speed in degrees an hour. */
const CONSTITUENTS = [
  { name: 'M2, the moon twice a day', amplitude: 2.05, speed: 28.9841042, phase: 40 },
  { name: 'S2, the sun twice a day', amplitude: 0.62, speed: 30, phase: 75 },
  { name: 'N2, the moon being near or far', amplitude: 0.38, speed: 28.4397295, phase: 10 },
  { name: 'K1, the moon and the sun once a day', amplitude: 0.1, speed: 15.0410686, phase: 200 },
  { name: 'O1, the moon once a day', amplitude: 0.08, speed: 13.9430356, phase: 150 },
];
const MEAN = 3.4;
const EPOCH = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;

/** Water has to stand so much higher in the pond than outside for the wheel to turn. */
export const WORKING_HEAD = 1.2;
/** What the working wheel lets out of the pond, in metres an hour. */
const DRAIN = 0.32;
/** The pond is never emptied below this: the wheel stands in it. */
const SILL = 2.2;
const STEP = HOUR / 12;

/** Height of the sea in metres above the lowest it gets. `time`: milliseconds since 1970. */
export function seaLevel(time) {
  const hours = (time - EPOCH) / HOUR;
  return CONSTITUENTS.reduce((sum, c) => sum + c.amplitude * Math.cos(((c.speed * hours - c.phase) * Math.PI) / 180), MEAN);
}

/**
 * Sea, pond and wheel, every five minutes from `start` for so many hours. The pond begins a day and a half earlier, so that
 * it stands as the tides before have left it.
 */
export function millDay(start, hours) {
  const steps = [];
  let pond = SILL;
  const first = Math.floor(start / STEP) * STEP;
  for (let time = first - 36 * HOUR; time <= first + hours * HOUR; time += STEP) {
    const sea = seaLevel(time);
    const works = pond > SILL && pond - sea >= WORKING_HEAD;
    const filling = sea > pond;
    if (filling) pond = sea;
    else if (works) pond = Math.max(SILL, pond - (DRAIN * STEP) / HOUR);
    if (time >= first) steps.push({ time, sea, pond, works, filling, rising: seaLevel(time + STEP) > sea });
  }
  return steps;
}

/** What the mill does at a step, in words. */
export function inWords({ works, filling, rising, sea, pond }) {
  if (works) return `The wheel turns: the pond stands ${(pond - sea).toFixed(1)} m above the sea.`;
  if (filling) return 'The flood pushes the gate open, and the pond fills.';
  if (rising) return 'The tide rises. The mill rests, with its gate shut, until the sea is level with the pond.';
  return 'The tide falls. The gate has shut by itself, and the miller waits for the water to be low enough outside.';
}
