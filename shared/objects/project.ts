// Project: a repository, how it is built, and how what comes of it is released.
import { z } from 'zod';
import { duration, label, name, relativePath, text, timestamp, url } from './fields.ts';
import { conditions, outbox } from './meta.ts';
import { stages } from './pipeline.ts';

/** How a front end without stages of its own is built. Each absent field is found out from the repository. */
export const buildSpec = z.strictObject({
  directory: relativePath.optional().describe('Folder of the front end in its repository.'),
  install: z.string().max(4096).optional().describe('Shell command that installs what the build needs; the empty string for none.'),
  build: z.string().max(4096).optional().describe('Shell command that builds; the empty string for none.'),
  output: relativePath.optional().describe('Folder, below `directory`, that the build leaves the site in.'),
  image: text(1024)
    .optional()
    .describe("Image that install and build run in, where the runner uses images. Default: Node as this machine, or tidemill's own image, has it."),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(32_768))
    .optional()
    .describe('Environment of install and build.'),
  timeout: duration.optional().describe('How long it may take, such as 10m.'),
});

/** How the released files are served. */
export const siteSpec = z.strictObject({
  fallback: z.enum(['404', 'spa']).optional().describe('"404": 404.html where there is one. "spa": index.html answers every path that is no file.'),
  cleanUrls: z.boolean().optional().describe('/about answers with about.html or about/index.html. Default true.'),
  keepVersions: z.int().min(0).max(100).optional().describe('So many earlier versions go on having their assets served. Default 5.'),
});

/** What happens to a push while an earlier one of its branch is being built. */
export const laneMode = z.enum(['queue', 'supersede', 'parallel']);

export const projectSpec = z.strictObject({
  source: z.strictObject({
    url,
    /** Branch whose builds are released to production. Default: the repository's own default branch. */
    branch: text(256).optional(),
    /** Name of a Credential. */
    credential: name.optional(),
    submodules: z.boolean().optional(),
  }),
  build: buildSpec.optional(),
  /** Stages of the project's own; wins over the repository's .tidemill.yaml. */
  stages: stages.optional(),
  /** Name of a Pipeline object to take the stages from. */
  pipeline: name.optional(),
  site: siteSpec.optional(),
  lane: z.strictObject({ mode: laneMode.optional(), slots: z.int().min(1).max(100).optional() }).optional(),
  release: z
    .strictObject({
      /** Release what was built, without being asked: to production from the default branch, to a preview from others. Default true. */
      auto: z.boolean().optional(),
      previews: z.boolean().optional(),
    })
    .optional(),
  /** Branches that are built; "*" stands for any characters. Default: all. */
  branches: z.array(text(256)).max(100).optional(),
  /** Look for new commits every so often; for local repositories they are watched as well. */
  poll: duration.optional(),
  paused: z.boolean().optional(),
});

export const projectStatus = z.object({
  outbox,
  /** Ready: True when the source could be reached at the last try; False says why not. */
  conditions,
  defaultBranch: text(256).optional(),
  /** The newest version built from the default branch or a tag: what "latest" means to a deploy. */
  latest: z
    .object({
      artifact: name,
      version: text(128),
      at: timestamp,
      /** Of the execution that built it. */
      lane: name.optional(),
      number: z.int().positive().optional(),
    })
    .optional(),
  lastPolled: timestamp.optional(),
  /** Hashes of the refs that were there, and where, when the repository was first looked at: they are no news. */
  seen: z.array(text(16)).max(5000).optional(),
});

/** A project's name is the first label of its site's host name; "--" in it would be taken for the preview of a branch. */
export const projectName = label.max(40).refine((value) => !value.includes('--'), 'must not have "--" in it');
