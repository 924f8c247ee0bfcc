import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { name as nameSchema } from '../objects/fields.ts';
import { beginChain, hash, outputId, rootId, shortHash } from './ids.ts';

const part = fc.string({ maxLength: 20 }).filter((text) => !text.includes('\0'));
const parts = fc.array(part, { minLength: 1, maxLength: 4 });
const YEAR_2500 = Date.UTC(2500, 0);

describe('hash', () => {
  it('is 26 characters that stand in any name, the same for the same parts', () => {
    fc.assert(
      fc.property(parts, (of) => {
        expect(hash(...of)).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/);
        expect(hash(...of)).toBe(hash(...of));
        expect(nameSchema.safeParse(hash(...of)).success).toBe(true);
        expect(shortHash(...of)).toBe(hash(...of).slice(0, 10));
      }),
    );
  });

  it('differs where the parts do, however they are cut', () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        fc.pre(a.join('\0') !== b.join('\0'));
        expect(hash(...a)).not.toBe(hash(...b));
      }),
    );
    expect(hash('ab', 'c')).not.toBe(hash('a', 'bc'));
    expect(hash('a')).not.toBe(hash('a', ''));
  });

  it('stays what it was: names of objects that are stored are made of it', () => {
    expect(hash('tidemill')).toBe(KNOWN.hash);
    expect(rootId(Date.UTC(2026, 10, 3), 'a', 'b')).toBe(KNOWN.rootId);
    expect(outputId({ id: KNOWN.rootId, source: '/s' }, 't', 'k')).toBe(KNOWN.outputId);
  });
});

const KNOWN = {
  hash: 'dkprfzc84bz6v43w17kwe1j5t0',
  rootId: '1m6fb9800b6s73bgvqjrx67a1jac1fx5hdy',
  outputId: '1m6fb9800kf5er05daprd6s4dhrcphygyd5',
};

describe('rootId', () => {
  it('sorts by time, and then tells what is told apart', () => {
    const ms = fc.integer({ min: 0, max: YEAR_2500 });
    fc.assert(
      fc.property(ms, ms, parts, parts, (a, b, of, other) => {
        const [one, two] = [rootId(a, ...of), rootId(b, ...other)];
        expect(one).toHaveLength(35);
        if (a < b) expect(one < two).toBe(true);
        if (a === b && of.join('\0') !== other.join('\0')) expect(one).not.toBe(two);
        expect(rootId(a, ...of)).toBe(one);
      }),
    );
  });

  it.each([Number.NaN, -1, Number.NEGATIVE_INFINITY, 0.5])('takes %d for the beginning of time', (ms) => {
    expect(rootId(ms, 'x')).toBe(rootId(0, 'x'));
  });
});

describe('outputId', () => {
  const cause = fc.record({ id: parts.map((of) => rootId(1_760_000_000_000, ...of)), source: part });

  it('is the same for the same cause, type and key, and another for any other', () => {
    fc.assert(
      fc.property(cause, cause, part, part, part, part, (a, b, type, otherType, key, otherKey) => {
        const of = (each: typeof a, t: string, k: string) => outputId(each, t, k);
        expect(of(a, type, key)).toBe(of(a, type, key));
        const same = a.id === b.id && a.source === b.source;
        if (!same) expect(of(a, type, key)).not.toBe(of(b, type, key));
        if (type !== otherType) expect(of(a, type, key)).not.toBe(of(a, otherType, key));
        if (key !== otherKey) expect(of(a, type, key)).not.toBe(of(a, type, otherKey));
      }),
    );
  });

  it('stands with its cause in an order by id, down a chain of any length', () => {
    fc.assert(
      fc.property(cause, fc.integer({ min: 1, max: 10 }), (root, length) => {
        let id = root.id;
        for (let n = 0; n < length; n++) id = outputId({ id, source: root.source }, 'type', 'key');
        expect(id.slice(0, 9)).toBe(root.id.slice(0, 9));
        expect(id).toHaveLength(35);
      }),
    );
  });
});

describe('beginChain', () => {
  it('gives a UUIDv4 in form, derived from what begins the chain, and a trace of the same id', () => {
    fc.assert(
      fc.property(part, part, part, (source, id, other) => {
        const { chainid, traceparent } = beginChain(source, id);
        expect(chainid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(traceparent).toMatch(new RegExp(`^00-${chainid.replaceAll('-', '')}-[0-9a-f]{16}-01$`));
        expect(beginChain(source, id)).toEqual({ chainid, traceparent });
        if (id !== other) expect(beginChain(source, other).chainid).not.toBe(chainid);
      }),
    );
  });
});
