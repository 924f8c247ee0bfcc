import { describe, expect, it } from 'vitest';
import { isCompressible, isHashed, mayBeHashed, mediaType } from './media.ts';

describe('types', () => {
  it.each([
    ['index.html', 'text/html; charset=utf-8'],
    ['a/B.HTM', 'text/html; charset=utf-8'],
    ['a.js', 'text/javascript; charset=utf-8'],
    ['a.mjs', 'text/javascript; charset=utf-8'],
    ['a.css', 'text/css; charset=utf-8'],
    ['a.json', 'application/json; charset=utf-8'],
    ['a.svg', 'image/svg+xml; charset=utf-8'],
    ['a.webmanifest', 'application/manifest+json; charset=utf-8'],
    ['a.wasm', 'application/wasm'],
    ['a.png', 'image/png'],
    ['a.avif', 'image/avif'],
    ['a.woff2', 'font/woff2'],
    ['a.txt', 'text/plain; charset=utf-8'],
    ['a.mp4', 'video/mp4'],
    ['a.pdf', 'application/pdf'],
    ['LICENSE', 'application/octet-stream'],
    ['text.d/html', 'application/octet-stream'],
    ['a.unknown', 'application/octet-stream'],
    ['a.__proto__', 'application/octet-stream'],
    ['a.constructor', 'application/octet-stream'],
    ['.env', 'application/octet-stream'],
  ])('%s is %s', (path, type) => expect(mediaType(path)).toBe(type));

  it('compresses text, and not what is compressed already', () => {
    for (const path of ['a.html', 'a.js', 'a.css', 'a.json', 'a.svg', 'a.wasm', 'a.xml', 'a.ttf', 'a.webmanifest', 'a.map'])
      expect([path, isCompressible(mediaType(path))]).toEqual([path, true]);
    for (const path of ['a.png', 'a.woff2', 'a.mp4', 'a.zip', 'a.bin', 'a.jpg']) expect([path, isCompressible(mediaType(path))]).toEqual([path, false]);
  });
});

describe('hashed names', () => {
  it.each([
    'assets/index-B3kd92Xa.js',
    'main.3f2a91bc.css',
    'static/js/main.3f2a91bc.chunk.js',
    'chunk-4EF7K2AB.js',
    'assets/a_b-C1_x-9Zq.css',
    '_next/static/chunks/pages.js',
    '_app/immutable/x.js',
    'logo.5d5d9eefa31e5e13a6610d9fa7a283bb.svg',
  ])('%s is one', (path) => expect([isHashed(path), mayBeHashed(path)]).toEqual([true, true]));

  it.each([
    'app.js',
    'index.html',
    'jquery-3.7.1.min.js',
    'my-bootstrap5.css',
    'photo-20240101.jpg',
    'IMG20240101.jpg',
    'Guide-Chapter10.pdf',
    'Section2Intro.png',
    'app-v2-Final3.zip',
    'assets/component-library.js',
    'report.2024-01-01.csv',
    'MyLongComponentName.js',
    'B3kd92Xa/app.js',
    'favicon-32x32.png',
    'android-chrome-512x512.png',
  ])('%s is none: it could change', (path) => expect(isHashed(path)).toBe(false));

  it('looks for more names in earlier versions than it lets be cached', () => {
    expect([isHashed('assets/index-BsKajQxp.js'), mayBeHashed('assets/index-BsKajQxp.js')]).toEqual([false, true]);
    for (const path of ['app.js', 'data.json', 'assets/component-library.js']) expect(mayBeHashed(path)).toBe(false);
  });
});
