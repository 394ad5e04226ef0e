import type { Filters } from "../fleet.ts";
import type { Output } from "../output.ts";
import { print } from "../../../src/terminal/print.ts";
import { Feed } from "./feed.ts";
import { Fleet } from "./fleet.ts";
import type { SortColumn } from "./ranking.ts";
import { plainLines, type Scene, screenOf } from "./screen.ts";
import { snapshotOf } from "./snapshot.ts";
import { FullScreen } from "./terminal.ts";
import { afterKey, type View } from "./view.ts";

export interface TopOptions extends Filters {
  readonly sort: SortColumn;
  /** Seconds between two screens. */
  readonly interval: number;
  readonly count?: number;
}

/** Shows the fleet, again and again: on a terminal as a full screen, which leaves nothing behind, otherwise, and if it is asked for once, as
 *  plain lines or JSON. Ends after `count`
 *  screens, or when the user leaves.
 *  @throws GatewayError, GatewayUnreachable at the start; SubscriptionRefused */
export async function top(output: Output, options: TopOptions): Promise<void> {
  const fleet = new Fleet();
  const feed = await Feed.open(output, options, fleet);
  const isSingle = options.count === 1;
  const isScreen = process.stdout.isTTY && process.env.TERM !== "dumb" && !output.asJson && !isSingle;
  const ended = Promise.withResolvers<void>();
  feed.ended.catch(ended.reject);
  const started = (isScreen ? startScreen : startRounds)({ output, options, fleet, feed, end: ended.resolve });
  try {
    await ended.promise;
  } finally {
    started.close();
    feed.close();
  }
}

interface Session {
  readonly output: Output;
  readonly options: TopOptions;
  readonly fleet: Fleet;
  readonly feed: Feed;
  readonly end: () => void;
}

const viewOf = ({ sort }: TopOptions): View => ({ sort, isReversed: false, filter: "", isTyping: false, offset: 0 });

const sceneOf = ({ fleet, feed }: Session, view: View): Scene => ({
  ...{ devices: fleet.devices, view, feed: feed.state, nowMs: Date.now() },
});

/** Calls `show` now and at every interval, until there were as many calls as asked for. */
function repeat({ options, end }: Session, show: () => void): ReturnType<typeof setInterval> {
  let left = options.count ?? Infinity;
  const round = (): void => {
    if (left <= 0) return;
    show();
    left -= 1;
    if (left <= 0) end();
  };
  const timer = setInterval(round, options.interval * 1000);
  round();
  return timer;
}

function startRounds(session: Session): { close(): void } {
  const view = viewOf(session.options);
  const timer = repeat(session, () => {
    const scene = sceneOf(session, view);
    print(session.output.asJson ? JSON.stringify(snapshotOf(scene)) : `${plainLines(scene).join("\n")}\n`);
  });
  return { close: () => clearInterval(timer) };
}

function startScreen(session: Session): { close(): void } {
  let view = viewOf(session.options);
  let extent = { rows: 0, page: 1 };
  const draw = (): void => {
    const { lines, ...drawn } = screenOf(sceneOf(session, view), screen.size);
    extent = drawn.extent;
    view = { ...view, offset: drawn.offset };
    screen.draw(lines);
  };
  const onKey = (key: string): void => {
    const next = afterKey(view, key, extent);
    if (next === undefined) return session.end();
    view = next;
    draw();
  };
  const screen = new FullScreen({ onKey, onResize: draw });
  const stops = stopOnSignals();
  const timer = repeat(session, draw);
  return {
    close: () => {
      clearInterval(timer);
      stops.close();
      screen.close();
    },
  };
}

/** A signal ends the process by `exit`, on which the terminal is restored. The status is 128 and the signal's number. */
function stopOnSignals(): { close(): void } {
  const statuses = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
  const handlers = Object.entries(statuses).map(([signal, status]) => {
    const handler = (): void => process.exit(status);
    process.on(signal, handler);
    return [signal, handler] as const;
  });
  return { close: () => handlers.forEach(([signal, handler]) => process.off(signal, handler)) };
}
