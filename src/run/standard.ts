/** Standard input, output and error of a container that the library starts: what is opened for them, and web streams. */
import { NsError } from "../spec/error.ts";
import { F, O } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { close, open } from "../sys/file.ts";
import { call } from "../sys/kernel.ts";
import { makePipe } from "./task.ts";

/** The program's own, /dev/null, a pipe to the program, or an open descriptor of the program's. */
export type Standard = "inherit" | "ignore" | "pipe" | number;

export interface StandardOptions {
  /** "ignore" if not given */
  readonly stdin?: Standard;
  /** "inherit" if not given */
  readonly stdout?: Standard;
  /** "inherit" if not given */
  readonly stderr?: Standard;
}

export interface Standards {
  /** the child's descriptors for 0, 1 and 2; null: the program's own */
  readonly child: readonly (number | null)[];
  /** the program's ends of pipes for 0, 1 and 2 */
  readonly ours: readonly (number | null)[];
}

const NAMES = ["stdin", "stdout", "stderr"] as const;
const FIRST_FREE = 3;

/**
 * Opens what is asked for.
 * @param opened gets every descriptor that the child alone is to have
 * @param kept gets those that are the program's
 */
export function openStandards(options: StandardOptions, opened: number[], kept: number[]): Standards {
  const child: (number | null)[] = [];
  const ours: (number | null)[] = [];
  const wanted = [options.stdin ?? "ignore", options.stdout ?? "inherit", options.stderr ?? "inherit"];
  wanted.forEach((what, i) => {
    child[i] = ours[i] = null;
    const name = NAMES[i]!;
    if (what === "inherit") return;
    if (what === "pipe") {
      const ends = makePipe(`for ${name}`);
      const [own, its] = i === 0 ? [ends[1], ends[0]] : ends;
      opened.push(its);
      kept.push(own);
      call("fcntl", own, F.F_SETFL, O.O_NONBLOCK);
      child[i] = its;
      ours[i] = own;
      return;
    }
    const fd =
      what === "ignore"
        ? open("/dev/null", O.O_RDWR)
        : typeof what === "number" && Number.isInteger(what)
          ? // above 2, so that one of them can be put in another's place
            call("fcntl", what, F.F_DUPFD_CLOEXEC, FIRST_FREE)
          : null;
    if (fd === null)
      throw new NsError(`${name} is neither "inherit", "ignore", "pipe" nor a descriptor`, { status: 2 });
    if (fd < 0) throw new NsError(`cannot use ${what} for ${name}: ${errnoText(-fd)}`, { errno: -fd });
    opened.push(fd);
    child[i] = fd;
  });
  return { child, ours };
}

/** A stream of what the container writes. The descriptor is the stream's from now on. */
export function readableOf(fd: number): ReadableStream<Uint8Array> {
  // the reader takes a copy of the descriptor, which it closes at the end of file
  const reader = Bun.file(fd).stream().getReader();
  close(fd);
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** A stream to what the container reads. The descriptor is the stream's from now on. */
export function writableOf(fd: number): WritableStream<Uint8Array | string> {
  const sink = Bun.file(fd).writer();
  close(fd);
  return new WritableStream({
    async write(chunk) {
      await sink.write(chunk); // a promise when it cannot be done at once
      await sink.flush();
    },
    async close() {
      await sink.end();
    },
    async abort() {
      try {
        await sink.end();
      } catch {
        // nobody reads it any more
      }
    },
  });
}
