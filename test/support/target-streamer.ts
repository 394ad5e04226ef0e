import type { Logger } from "pino";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { TokenBucket } from "../../src/kit/token-bucket.ts";
import { silentListener as listener } from "../../src/pipeline/observe/pipeline-listener.ts";
import type { Queue } from "../../src/pipeline/queue/queue.ts";
import type { TargetSources } from "../../src/pipeline/source/target-sources.ts";
import type { TargetAssignment } from "../../src/pipeline/stream/assignment/target-assignment.ts";
import { BackPressure } from "../../src/pipeline/stream/back-pressure.ts";
import { StreamRetries } from "../../src/pipeline/stream/stream-retries.ts";
import { SharedTargets } from "../../src/pipeline/stream/targets/shared-targets.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

/** A stream of targets that runs until it is stopped. */
export interface RunningTargets {
  readonly stream: SharedTargets;
  /** @throws the error that ended the stream */
  stop(): Promise<void>;
}

export interface TargetStreamerParts {
  readonly queue: Queue;
  readonly targets: TargetSources;
  readonly openAssignment: (retries: StreamRetries) => TargetAssignment;
  readonly bufferBytes?: number;
  readonly log?: Logger;
}

/** Streams targets as a process would. */
export function runTargets({ queue, targets, openAssignment, ...options }: TargetStreamerParts): RunningTargets {
  const { bufferBytes = 1e6, log = unshownLog() } = options;
  const retries = new StreamRetries({ clock, listener, log });
  const stream = new SharedTargets({
    ...{ targets, queue, clock, listener, retries, log, bufferBytes },
    assignment: openAssignment(retries),
    bucket: new TokenBucket({ tokensPerSecond: 0, burstTokens: 1, clock }),
    backPressure: new BackPressure({ lowMessages: 50_000, highMessages: 90_000, clock }),
    messageMaxBytes: 1e6,
  });
  const halt = new AbortController();
  const running = stream.run(halt.signal);
  running.catch(() => undefined);
  return {
    stream,
    async stop() {
      halt.abort();
      await running;
      await stream.close();
    },
  };
}
