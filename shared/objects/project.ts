// Project: a repository, how it is built, and how what comes of it is released.
import { z } from 'zod';
import { duration, label, map, name, relativePath, text, timestamp, url } from './fields.ts';
import { object, strictObject } from './lazily.ts';
import { conditions, outbox, VALID } from './meta.ts';
import { stages } from './pipeline.ts';

/** How a front end without stages of its own is built. Each absent field is found out from the repository. */
export const buildSpec = strictObject(() => ({
  directory: relativePath.optional().describe('Folder of the front end in its repository.'),
  install: z.string().max(4096).optional().describe('Shell command that installs what the build needs; the empty string for none.'),
  build: z.string().max(4096).optional().describe('Shell command that builds; the empty string for none.'),
  output: relativePath.optional().describe('Folder, below `directory`, that the build leaves the site in.'),
  image: text(1024)
    .optional()
    .describe("Image that install and build run in, where the runner uses images. Default: Node as this machine, or tidemill's own image, has it."),
  env: map(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a name of letters, digits and "_" that does not begin with a digit'),
    z.string().max(32_768),
    100,
  )
    .optional()
    .describe('Environment of install and build.'),
  timeout: duration.optional().describe('How long it may take, such as 10m.'),
}));

/** How the released files are served. */
export const siteSpec = strictObject(() => ({
  fallback: z.enum(['404', 'spa']).optional().describe('"404": 404.html where there is one. "spa": index.html answers every path that is no file.'),
  cleanUrls: z.boolean().optional().describe('/about answers with about.html or about/index.html. Default true.'),
  keepVersions: z.int().min(0).max(100).optional().describe('So many earlier versions go on having their assets served. Default 5.'),
}));

/** What happens to a push while an earlier one of its branch is being built. */
export const laneMode = z.enum(['queue', 'supersede', 'parallel']);

export const projectSpec = strictObject(() => ({
  source: z
    .strictObject({
      url: url.describe('URL or path of the repository.'),
      branch: text(256).optional().describe("Branch whose builds are released to production. Default: the repository's own default branch."),
      credential: name.optional().describe('Name of the Credential that the repository is read with. Default: none, for a public one.'),
      submodules: z.boolean().optional().describe('Fetch the submodules as well. Default false.'),
    })
    .describe('The repository that it is built from.'),
  build: buildSpec
    .optional()
    .describe('How the front end is built, as far as that is not to be found out from the repository. Not used where there are stages.'),
  stages: stages.optional().describe("Stages of the project's own, which run one after another. They win over the repository's .tidemill.yaml."),
  pipeline: name.optional().describe('Name of the Pipeline, in the same namespace, to take the stages from.'),
  site: siteSpec.optional().describe('How what is released is served.'),
  lane: z
    .strictObject({
      mode: laneMode
        .optional()
        .describe('queue: a push waits for the earlier ones of its branch. supersede: it cancels them. parallel: they run side by side. Default queue.'),
      slots: z.int().min(1).max(100).optional().describe('How many executions of one branch may run side by side. Default 1, and 4 when parallel.'),
    })
    .optional()
    .describe('What happens to a push while an earlier one of its branch is being built.'),
  release: z
    .strictObject({
      auto: z
        .boolean()
        .optional()
        .describe('Release what was built, without being asked: to production from the default branch, to a preview from others. Default true.'),
      previews: z.boolean().optional().describe('Release other branches to previews of their own, at <branch>--<project>. Default true.'),
    })
    .optional()
    .describe('What is released without being asked.'),
  branches: z.array(text(256)).max(100).optional().describe('Branches that are built; "*" stands for any characters. Default: all.'),
  poll: duration.optional().describe('Look for new commits every so often, such as 1m, where no webhook tells of them. Five seconds at least.'),
  paused: z.boolean().optional().describe('Build no pushes for now. Each says that it was skipped for this.'),
})).describe('Where the source is, how it is built, and how what comes of it is released.');

export const projectStatus = object(() => ({
  outbox,
  conditions: conditions.describe(
    `Ready: present once the repository was looked at; True is good: it could be read at the last try. False says why not. ${VALID}`,
  ),
  defaultBranch: text(256).optional().describe("The repository's default branch."),
  latest: z
    .object({
      artifact: name.describe('Name of the site Artifact.'),
      version: text(128).describe('Its version.'),
      at: timestamp.describe('When it was built.'),
      lane: name.optional().describe('Lane of the execution that built it.'),
      number: z.int().positive().optional().describe('Number of that execution in its lane.'),
    })
    .optional()
    .describe('The newest version built from the default branch or a tag: what "latest" means to a deploy.'),
  lastPolled: timestamp.optional().describe('When it was last found out whether the repository can be read.'),
  seen: z
    .array(text(16))
    .max(5000)
    .optional()
    .describe('Hashes of the refs that were there, and where, when the repository was first looked at: they are no news.'),
})).describe('What is known of the repository, and the newest that was built.');

/** A project's name is the first label of its site's host name; "--" in it would be taken for the preview of a branch. */
export const projectName = label.max(40).refine((value) => !value.includes('--'), 'must not have "--" in it');
