import { CloudEvent, ValidationError } from 'cloudevents';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidEvent, parseData, parseEvent, type TidemillEvent } from './event.ts';

const TYPE = 'dev.tidemill.artifact.requested.v1';
const valid = {
  specversion: '1.0',
  id: '0123abc',
  source: '/functions/git-push',
  type: TYPE,
  subject: 'site-1',
  time: '2026-11-03T10:00:00.123Z',
  datacontenttype: 'application/json',
  chainid: '7b1f8b9e-3c0e-4f60-9d1a-0f1c8f6f5a11',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  data: { namespace: 'default', project: 'site', execution: 'site-1', artifact: 'site-1-source' },
};
const without = (attribute: string) => Object.fromEntries(Object.entries(valid).filter(([key]) => key !== attribute));
const why = (value: unknown): string => {
  try {
    parseEvent(value);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidEvent);
    return (error as Error).message;
  }
  return 'it is valid';
};

describe('parseEvent takes', () => {
  it('a valid event as it is', () => {
    expect(parseEvent(valid)).toEqual(valid);
    expect(parseEvent(JSON.parse(JSON.stringify(valid)))).toEqual(valid);
  });

  it.each(['subject', 'traceparent'])('one without the optional %s', (attribute) => {
    expect(parseEvent(without(attribute))).toEqual(without(attribute));
  });

  it.each([
    ['time', '2026-11-03T10:00:00Z'],
    ['time', '2026-11-03T10:00:00+02:00'],
    ['time', '1937-01-01T12:00:27.87+00:20'],
    ['source', '/apis///namespaces/default//site-1'],
    ['source', 'https://github.com/acme/site'],
    ['source', 'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66'],
    ['source', 'mailto:ada@example.org'],
    ['source', '../relative?x=1#y'],
    ['source', '/caf%C3%A9'],
    ['source', 'http://[::1]:8080/x'],
    ['id', 'anything: printable, é and 😀'],
    ['subject', 'refs/heads/ünï'],
  ])('%s "%s"', (attribute, value) => {
    expect(parseEvent({ ...valid, [attribute]: value })).toHaveProperty(attribute, value);
  });
});

describe('parseEvent refuses', () => {
  it.each(['specversion', 'id', 'source', 'type', 'time', 'datacontenttype', 'chainid', 'data'])('an event without %s', (attribute) => {
    expect(why(without(attribute))).toContain(attribute);
  });

  it.each(['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'chainid', 'traceparent'])(
    'an empty, numeric, or absent-minded %s',
    (attribute) => {
      for (const value of ['', 7, true, null, [], {}]) expect(why({ ...valid, [attribute]: value }), JSON.stringify(value)).toContain(attribute);
    },
  );

  it.each(['0.3', '1.0.2', '1', '1.1', '9.9', 'v1.0', ' 1.0', 1])('specversion %j', (specversion) => {
    expect(why({ ...valid, specversion })).toMatch(/^Not a valid CloudEvent: specversion/);
  });

  it.each([
    'yesterday',
    '2026-11-03',
    '10:00:00Z',
    '2026-11-03T10:00:00',
    '2026-11-03 10:00:00Z',
    '2026-11-03T10:00Z',
    '2026-11-03T10Z',
    '2026-13-03T10:00:00Z',
    '2026-02-30T10:00:00Z',
    '2026-11-03T25:00:00Z',
    '2026-11-03T10:61:00Z',
    '2026-11-03T10:00:00+0200',
    '2026-11-03T10:00:00.Z',
    '1762164000',
    ' 2026-11-03T10:00:00Z',
    '2026-11-03T10:00:00Z ',
  ])('the time %j', (time) => {
    expect(why({ ...valid, time })).toMatch(/^Not a valid CloudEvent: time/);
  });

  it.each([
    'a b',
    '<x>',
    '/a\\b',
    '/{x}',
    '/x|y',
    '/caf\u00e9',
    '/%zz',
    '/%4',
    'http://[::1',
    'http://exa mple/',
    'http://host:port/',
    '/a\nb',
    '\u0000',
    '/"x"',
    '/^',
  ])('the source %j, which is no URI reference', (source) => {
    expect(why({ ...valid, source })).toMatch(/^Not a valid CloudEvent: source/);
  });

  it.each(['id', 'source', 'type', 'subject', 'chainid'])('control characters, lone surrogates and endless text in %s', (attribute) => {
    for (const value of ['a\u0000b', 'a\nb', 'a\u0085b', '\ud800', 'x'.repeat(513)]) expect(why({ ...valid, [attribute]: value })).toContain(attribute);
  });

  it.each(['Chainid', 'CHAINID', 'myExtension', 'my_extension', 'my-extension', 'extension', 'dataschema', 'data_base64', 'knativehistory', 'a'.repeat(21)])(
    'the attribute "%s", which is none of ours',
    (name) => {
      expect(why({ ...valid, [name]: 'x' })).toContain(name);
    },
  );

  it('data and data_base64 at once, and data_base64 alone', () => {
    expect(why({ ...valid, data_base64: 'e30=' })).toContain('data_base64');
    expect(why({ ...without('data'), data_base64: 'e30=' })).toContain('data_base64');
  });

  it.each(['text/plain', 'application/json; charset=utf-8', 'application/JSON', 'application/cloudevents+json'])('datacontenttype %j', (datacontenttype) => {
    expect(why({ ...valid, datacontenttype })).toContain('datacontenttype');
  });

  it.each([
    '0af7651916cd43dd8448eb211c80319c',
    '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331',
    'x',
  ])('traceparent %j', (traceparent) => {
    expect(why({ ...valid, traceparent })).toContain('traceparent');
  });

  it.each([undefined, null, 'event', 7, true, [], [valid], {}, () => valid])('%j, and a batch where one event is due', (value) => {
    expect(why(value)).toMatch(/^Not a valid CloudEvent: /);
  });

  it.each(['dev.tidemill.unknown.v1', 'dev.tidemill.artifact.requested.v2', 'toString', '__proto__', 'constructor'])('the unknown type %s', (type) => {
    expect(why({ ...valid, type })).toBe(`Unknown event type "${type}"`);
  });

  it('data that does not fit its type, with the field that is wrong', () => {
    expect(why({ ...valid, data: { ...valid.data, artifact: 'Not A Name' } })).toMatch(
      /^Invalid data of dev\.tidemill\.artifact\.requested\.v1: artifact: must be lower-case/,
    );
    expect(why({ ...valid, data: '{"namespace":"default"}' })).toMatch(/^Invalid data of/);
  });

  it('a hundred faults in a message of bounded length', () => {
    const data = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`field${n}`, 'x'.repeat(5000)]));
    expect(why({ ...data, ...valid }).length).toBeLessThan(5000);
  });

  it('what would change the prototype of anything', () => {
    const hostile = JSON.parse(`${JSON.stringify(valid).slice(0, -1)},"__proto__":{"polluted":true}}`) as unknown;
    expect(why(hostile)).toContain('__proto__');
    const inData = JSON.parse(JSON.stringify(valid).replace('"data":{', '"data":{"__proto__":{"polluted":true},')) as unknown;
    expect(parseEvent(inData).data).not.toHaveProperty('polluted');
    const text = '{"taskRun":{"__proto__":{"polluted":true},"metadata":{"name":"a","namespace":"default","uid":"u"}}}';
    const parsed = parseData('dev.tekton.event.taskrun.successful.v1', JSON.parse(text));
    expect(Object.getPrototypeOf(parsed.taskRun)).toBe(Object.prototype);
    expect({}).not.toHaveProperty('polluted');
  });
});

describe('ours and the CloudEvents SDK agree', () => {
  const word = fc.string({ unit: fc.constantFrom(...'abcXYZ019-._é😀 '), minLength: 1, maxLength: 40 }).map((text) => `x${text}`);
  const event = fc.record(
    {
      specversion: fc.constant('1.0'),
      id: word,
      source: fc.webPath().map((path) => `/functions${path}`),
      type: fc.constant(TYPE),
      subject: word,
      time: fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }).map((date) => date.toISOString()),
      datacontenttype: fc.constant('application/json'),
      chainid: fc.uuid(),
      traceparent: fc.constant(valid.traceparent),
      data: fc.constant(valid.data),
    },
    { requiredKeys: ['specversion', 'id', 'source', 'type', 'time', 'datacontenttype', 'chainid', 'data'] },
  );

  it('on every valid event, there and back', () => {
    fc.assert(
      fc.property(event, (each) => {
        const ours = parseEvent(each);
        const sdk = new CloudEvent(ours as unknown as Partial<CloudEvent<TidemillEvent['data']>>);
        expect(sdk.validate()).toBe(true);
        const back = JSON.parse(JSON.stringify(sdk.toJSON())) as unknown;
        expect(parseEvent(back)).toEqual(ours);
      }),
    );
  });

  it('ours is the stricter: it refuses all that the SDK does', () => {
    for (const attribute of ['id', 'source', 'type', 'specversion']) {
      const broken = { ...valid, [attribute]: '' };
      let refused = false;
      try {
        new CloudEvent(broken as unknown as Partial<CloudEvent<unknown>>).validate();
      } catch (error) {
        refused = error instanceof ValidationError || error instanceof TypeError;
      }
      if (refused) expect(why(broken)).not.toBe('it is valid');
    }
    expect(() => new CloudEvent({ ...valid, UPPER: 'x' } as unknown as Partial<CloudEvent<unknown>>)).toThrow();
    expect(why({ ...valid, UPPER: 'x' })).toContain('UPPER');
  });
});
