import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Kind } from '../../objects/kinds.ts';
import { canExist, checkKind, listPath, objectPath, resourceName, selector } from './resources.ts';

test('paths of the API', () => {
  expect(listPath('Push', undefined)).toBe('/apis/tidemill.dev/v1alpha1/pushes');
  expect(listPath('TaskRun', 'team')).toBe('/apis/tekton.dev/v1/namespaces/team/taskruns');
  expect(objectPath('Lane', { namespace: 'team', name: 'a.b' })).toBe('/apis/tidemill.dev/v1alpha1/namespaces/team/lanes/a.b');
  expect(resourceName('TaskRun')).toBe('taskruns.tekton.dev');
  for (const kind of ['Teapot', 'constructor', '__proto__']) expect(() => checkKind(kind)).toThrow('There is no kind');
});

test('no name and no namespace becomes another path', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (namespace, name) => {
      const ref = { namespace, name };
      if (!canExist(ref)) expect(() => objectPath('Lane', ref)).toThrow();
      else expect(new URL(objectPath('Lane', ref), 'https://host').pathname).toBe(`/apis/tidemill.dev/v1alpha1/namespaces/${namespace}/lanes/${name}`);
    }),
  );
  for (const name of ['..', '.', 'a/b', 'a?b', 'a%2fb', '']) expect(() => objectPath('Lane' as Kind, { namespace: 'team', name })).toThrow('is no name');
});

test('labels that no object can carry select nothing, and never become another query', () => {
  expect(selector(undefined)).toEqual({});
  expect(selector({ 'tidemill.dev/project': 'a', x: '' })).toEqual({ labelSelector: 'tidemill.dev/project=a,x=' });
  const nothing = selector({ ['__proto__']: '1' });
  const impossible: [string, string][] = [
    ['x', 'a,b'],
    ['x,y', '1'],
    ['x', 'y'.repeat(64)],
    ['!x', ''],
    ['x=1,y', '2'],
  ];
  for (const label of impossible) expect(selector(Object.fromEntries([label]))).toEqual(nothing);
});
