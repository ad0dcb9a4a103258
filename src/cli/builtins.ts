/**
 * Array methods from the executable's own bytecode. JavaScriptCore keeps its own as source text and compiles each when it
 * is first called; what a start uses of them, with the compiler that comes into memory for nothing else, took 5 per cent of
 * its time (docs/performance.md). For the program only: the library leaves its host's methods alone. They do the same for
 * arrays without holes, and ns has no others.
 */
// biome-ignore lint/suspicious/noExplicitAny: as in the library's own declarations, a callback takes and gives anything
type Callback = (value: any, index: number, array: readonly unknown[]) => unknown;

/** The callback, with its `this` if it was given one. */
const bound = (use: Callback, self: unknown): Callback => (self === undefined ? use : use.bind(self));

const methods = {
  map(this: unknown[], use: Callback, self?: unknown): unknown[] {
    const call = bound(use, self);
    const out: unknown[] = [];
    for (let i = 0; i < this.length; i++) out.push(call(this[i], i, this));
    return out;
  },
  flatMap(this: unknown[], use: Callback, self?: unknown): unknown[] {
    const call = bound(use, self);
    const out: unknown[] = [];
    for (let i = 0; i < this.length; i++) {
      const value = call(this[i], i, this);
      if (Array.isArray(value)) for (let j = 0; j < value.length; j++) out.push(value[j]);
      else out.push(value);
    }
    return out;
  },
  filter(this: unknown[], use: Callback, self?: unknown): unknown[] {
    const call = bound(use, self);
    const out: unknown[] = [];
    for (let i = 0; i < this.length; i++) {
      const value = this[i];
      if (call(value, i, this)) out.push(value);
    }
    return out;
  },
  forEach(this: unknown[], use: Callback, self?: unknown): void {
    const call = bound(use, self);
    for (let i = 0; i < this.length; i++) call(this[i], i, this);
  },
  some(this: unknown[], use: Callback, self?: unknown): boolean {
    const call = bound(use, self);
    for (let i = 0; i < this.length; i++) if (call(this[i], i, this)) return true;
    return false;
  },
  find(this: unknown[], use: Callback, self?: unknown): unknown {
    const call = bound(use, self);
    for (let i = 0; i < this.length; i++) {
      const value = this[i];
      if (call(value, i, this)) return value;
    }
    return undefined;
  },
  reduce(
    this: unknown[],
    ...given: [use: (sum: unknown, ...rest: unknown[]) => unknown, sum?: unknown]
  ): unknown {
    const [use] = given;
    let [, sum] = given;
    let i = 0;
    if (given.length < 2) {
      if (this.length === 0) throw new TypeError("reduce of an empty array with no initial value");
      sum = this[i++];
    }
    for (; i < this.length; i++) sum = use(sum, this[i], i, this);
    return sum;
  },
};

for (const name of Object.keys(methods) as (keyof typeof methods)[])
  Object.defineProperty(Array.prototype, name, { value: methods[name], writable: true, configurable: true });
