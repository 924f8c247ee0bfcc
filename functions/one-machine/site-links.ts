// The sites that are live, for the front page: first those of the default branches.
import type { Objects } from '../../shared/ports/objects.ts';

const SHOWN = 100;

export async function siteLinks(objects: Objects, address: (host: string) => string): Promise<{ name: string; url: string }[]> {
  const { items } = await objects.list('Release', { limit: SHOWN });
  return items
    .filter((release) => release.status?.current)
    .toSorted((a, b) => Number(a.spec.environment !== 'production') - Number(b.spec.environment !== 'production'))
    .map((release) => ({ name: release.metadata.name, url: address(release.spec.host) }));
}
