// Stands between the functions and their adapters, counts the calls, and kills the process at one of them.

export type Moment = 'before' | 'after';

/** The nth call (from 1), since it was armed, of a port's method. */
export interface KillPoint {
  call: string;
  nth: number;
  moment: Moment;
}

export interface Instrument {
  wrap<P extends object>(name: string, port: P): P;
  /** Counting begins anew. Without a point nothing is killed. */
  arm(point: KillPoint | undefined): void;
  /** Calls since it was armed, such as `objects.updateStatus`. */
  counts(): Record<string, number>;
}

export function createInstrument(kill: () => void = () => process.kill(process.pid, 'SIGKILL')): Instrument {
  let point: KillPoint | undefined;
  let counted = new Map<string, number>();

  const reach = (call: string, nth: number, moment: Moment) => {
    if (point?.call === call && point.nth === nth && point.moment === moment) kill();
  };
  const wrapMethod = (name: string, method: (...args: unknown[]) => unknown, self: object) => {
    return (...args: unknown[]) => {
      const nth = (counted.get(name) ?? 0) + 1;
      counted.set(name, nth);
      reach(name, nth, 'before');
      const result = method.apply(self, args);
      if (!(result instanceof Promise)) {
        reach(name, nth, 'after');
        return result;
      }
      return result.then((value: unknown) => {
        reach(name, nth, 'after');
        return value;
      });
    };
  };
  return {
    wrap: (name, port) =>
      new Proxy(port, {
        get: (target, key, receiver) => {
          const value: unknown = Reflect.get(target, key, receiver);
          return typeof value === 'function' && typeof key === 'string' ? wrapMethod(`${name}.${key}`, value as never, target) : value;
        },
      }),
    arm: (next) => {
      point = next;
      counted = new Map();
    },
    counts: () => Object.fromEntries(counted),
  };
}
