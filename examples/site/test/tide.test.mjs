import assert from 'node:assert/strict';
import test from 'node:test';
import { inWords, millDay, seaLevel, WORKING_HEAD } from '../src/scripts/tide.js';

const start = Date.UTC(2026, 5, 1);
const HOUR = 3_600_000;

test('the sea is highest about every twelve hours and twenty-five minutes', () => {
  const highs = [];
  for (let t = start; t < start + 29 * 24 * HOUR; t += 60_000) if (seaLevel(t) > seaLevel(t - 60_000) && seaLevel(t) >= seaLevel(t + 60_000)) highs.push(t);
  const mean = (highs.at(-1) - highs[0]) / (highs.length - 1) / HOUR;
  assert.ok(Math.abs(mean - 12.42) < 0.1, `${mean} hours`);
});

test('the wheel turns only with water to turn it, and the pond is never below the sea', () => {
  const steps = millDay(start, 25);
  assert.equal(steps.length, 25 * 12 + 1);
  for (const step of steps) {
    assert.ok(step.pond >= step.sea - 1e-9);
    assert.ok(!(step.works && step.filling));
    if (step.works) assert.ok(step.pond - step.sea > WORKING_HEAD - 0.1);
  }
});

test('a day has work and rest in it', () => {
  const worked = millDay(start, 25).filter((step) => step.works).length / 12;
  assert.ok(worked > 6 && worked < 16, `${worked} hours of work`);
});

test('every state has its words', () => {
  const words = new Set(millDay(start, 25).map((step) => inWords(step).split(' ').slice(0, 3).join(' ')));
  assert.equal(words.size, 4);
});
