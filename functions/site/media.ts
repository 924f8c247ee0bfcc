// What a file's name says of it: its type, whether it gets smaller by compression, and whether a hash of its content is part of the name.
import { contentType } from 'mime-types';

const PLAIN = 'application/octet-stream';
/** What mime-types leaves without a charset, or calls otherwise than browsers want it. */
const OWN: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  cjs: 'text/javascript; charset=utf-8',
  map: 'application/json; charset=utf-8',
  svg: 'image/svg+xml; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
  ico: 'image/x-icon',
  ts: 'text/plain; charset=utf-8',
};
const COMPRESSIBLE =
  /^(?:text\/|application\/(?:javascript|json|xml|wasm|manifest\+json|ld\+json|rtf|x-ndjson|vnd\.ms-fontobject|[\w.+-]+\+(?:json|xml))|image\/(?:svg\+xml|bmp|x-icon|vnd\.microsoft\.icon)|font\/(?:ttf|otf)|model\/gltf\+json)/;

export function mediaType(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const extension = name.includes('.') ? name.slice(name.lastIndexOf('.') + 1).toLowerCase() : '';
  if (Object.hasOwn(OWN, extension)) return OWN[extension]!;
  // Asked by extension: a whole name of the kind "a/b" would be taken for a type.
  return (extension !== '' && contentType(`.${extension}`)) || PLAIN;
}

export function isHtml(type: string): boolean {
  return type.startsWith('text/html') || type.startsWith('application/xhtml+xml');
}

export function isCompressible(type: string): boolean {
  return COMPRESSIBLE.test(type);
}

/** Folders whose names promise that what is in them never changes (Next.js, SvelteKit). */
const IMMUTABLE_FOLDERS = /(?:^|\/)(?:_next\/static|_app\/immutable)\//;
const HEX = /^(?=.*\d)(?=.*[a-f])[0-9a-f]{8,64}$/;
const MIXED = /^(?=.*\d)(?=.*[A-Z])(?=.*[a-z])[\w-]{8,64}$/;
const BASE32 = /^(?=.*\d.*\d)(?=.*[A-Z].*[A-Z])[A-Z0-9]{8,32}$/;
/**
 * Whether the name holds a hash of the content, as bundlers write it (index-B3kd92Xa.js, main.3f2a91bc.css, chunk-4EF7K2AB.js), so that it may
 * be cached for ever. To be wrong here is to show visitors an old file for a year, so what could be words or a date is taken for them.
 */
export function isHashed(path: string): boolean {
  return IMMUTABLE_FOLDERS.test(path) || partsOf(path).some((part) => HEX.test(part) || ((MIXED.test(part) || BASE32.test(part)) && !isWords(part)));
}

/** "Chapter10", "IMG20240101", "v2-Final3": half of it or more are runs of letters, or of a capital and letters, that are long enough for a word. */
function isWords(part: string): boolean {
  const runs = part.match(/[A-Z]?[a-z]+|[A-Z]+|\d+/g) ?? [];
  const words = runs.filter((run) => run.length >= 3);
  return words.join('').length * 2 >= runs.join('').length;
}

const LOOSE = /^(?=.*[\dA-Z])[\w-]{8,64}$/;

/** Whether the name may hold a hash: enough to look for the file in earlier versions, where to be wrong costs nothing. */
export function mayBeHashed(path: string): boolean {
  return isHashed(path) || partsOf(path).some((part) => LOOSE.test(part));
}

/** The name's parts between dots, and what stands after each "-" or "_" of them: a hash may itself hold both. */
function partsOf(path: string): string[] {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dotted = name.split('.');
  const stems = dotted.length > 1 ? dotted.slice(0, -1) : dotted;
  return stems.flatMap((stem) => [stem, ...[...stem.matchAll(/[-_]/g)].map((match) => stem.slice(match.index + 1))]).filter((part) => part.length >= 8);
}
