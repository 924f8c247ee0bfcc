// Objects whose fields are made when they are first looked at: a process that is started for one event needs few of all there are, and making them
// takes longer than to start Node.
import { z } from 'zod';

type Fields = z.core.$ZodLooseShape;

/** As z.object. */
export const object = <F extends Fields>(fields: () => F) => new z.ZodObject(definition(fields)) as z.ZodObject<z.core.util.Writeable<F>, z.core.$strip>;

/** As z.strictObject. */
export const strictObject = <F extends Fields>(fields: () => F) =>
  new z.ZodObject(definition(fields, z.never())) as z.ZodObject<z.core.util.Writeable<F>, z.core.$strict>;

/** As z.looseObject. */
export const looseObject = <F extends Fields>(fields: () => F) =>
  new z.ZodObject(definition(fields, z.unknown())) as z.ZodObject<z.core.util.Writeable<F>, z.core.$loose>;

function definition(fields: () => Fields, catchall?: z.core.$ZodType): z.core.$ZodObjectDef {
  return {
    type: 'object',
    // zod leaves a shape that is a getter alone until it is needed: so its own objects can name themselves among their fields.
    get shape() {
      const shape = fields() as z.core.$ZodShape;
      Object.defineProperty(this, 'shape', { value: shape });
      return shape;
    },
    ...(catchall && { catchall }),
  };
}
