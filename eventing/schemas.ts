// JSON Schemas for what people write by hand, so that an editor completes and checks it.
import { z } from 'zod';
import { planFile } from '../shared/decisions/plan/file.ts';

/** Of .tidemill.yaml, in draft 2020-12. What JSON Schema cannot say (names that are unique, say) is checked when it is read. */
export function planFileSchema(): string {
  const schema = z.toJSONSchema(planFile, { io: 'input', unrepresentable: 'any', reused: 'ref' });
  const about = {
    title: '.tidemill.yaml',
    description: 'How tidemill builds this repository: settings of the build that is found out by itself, or stages of Tekton Tasks.',
  };
  return `${JSON.stringify({ ...schema, ...about }, null, 2)}\n`;
}
