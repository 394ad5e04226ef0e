import { useMemo } from "preact/hooks";
import {
  gpuQueryOf,
  type GpuState,
  gpuStateOf,
  isMoving,
  rangeMs,
  rangeNames,
  type TimeChoice,
  type TimeWindow,
  windowOf,
} from "../../model/time-choice.ts";
import { hostPath } from "../../pages.ts";
import { nowMs } from "../clock.ts";
import { Loading, Refused } from "../fleet/notices.tsx";
import { TimeBar } from "../frame/time-bar.tsx";
import { useAnswer } from "../frame/use-answer.ts";
import { useUrlState } from "../frame/use-url-state.ts";
import { type Metric, readGauges, readGpu, type Resolution, readHoldingChanges } from "../live/device-api.ts";
import { type Fault, readFaultsOf } from "../live/fault-api.ts";
import { msOf } from "../live/gateway-api.ts";
import { holdingsOf, type Lasting } from "../../model/lane.ts";
import { useEmitter } from "../live/emitter.ts";
import type { LiveFleet } from "../live/live-fleet.ts";
import { Charts } from "./charts.tsx";
import { GpuFacts } from "./gpu-facts.tsx";
import { MetricChoice } from "./metric-choice.tsx";
import { MigInstances } from "./mig-instances.tsx";
import { useHistory } from "./use-history.ts";

const urlState = { read: gpuStateOf, write: gpuQueryOf };

/** Facts about a GPU or MIG instance change seldom; who holds it changes with jobs. */
const factsEveryMs = 10_000;
/** The window of a range moves on by at least a pixel. */
const windowSteps = 1000;

/** A GPU or MIG instance: what it is, how it is, and its values over time. */
export function GpuPage({ live }: { readonly live: LiveFleet }) {
  useEmitter(live.lists);
  useEmitter(live.statuses);
  const [{ uuid }] = useUrlState(urlState);
  if (live.status.name === "REFUSED") return <Refused status={live.status} />;
  if (!live.isLoaded) return <Loading status={live.status} />;
  if (live.data.positionOf(uuid) === undefined) {
    return (
      <div class="notice problem" role="alert">
        <h2>There is no GPU {uuid === "" ? "without a uuid in the address" : uuid}</h2>
        <p>
          It has not reported here, or you cannot see it. <a href="/">The fleet</a> has all that you can see.
        </p>
      </div>
    );
  }
  return <Device live={live} uuid={uuid} />;
}

function Device({ live, uuid }: { readonly live: LiveFleet; readonly uuid: string }) {
  useEmitter(live.ticks);
  const [state, change] = useUrlState(urlState);
  const position = live.data.positionOf(uuid) ?? 0;
  const device = live.data.devices[position];
  const gpu = useAnswer(() => readGpu(uuid), factsEveryMs, [uuid]);
  const gauges = useAnswer(readGauges, undefined, []);
  const window = useWindow(state.time);
  return (
    <>
      <h2>
        <a href={hostPath(device?.hostname ?? "")}>{device?.hostname}</a> ·{" "}
        {device?.parentUuid === undefined ? "" : `MIG instance ${device.migInstanceId} on `}
        GPU {device?.index}
      </h2>
      <GpuFacts live={live} position={position} gpu={gpu.value} window={window} />
      <div class="toolbar">
        <TimeBar ranges={rangeNames} time={state.time} window={window} onChoose={(time) => change({ time })} />
        <MetricChoice known={gauges.value ?? []} chosen={state.metrics} onChoose={(metrics) => change({ metrics })} />
      </div>
      <History {...{ live, state, window }} gauges={gauges.value ?? []} onMark={(time) => change({ time })} />
      <MigInstances live={live} parentUuid={uuid} />
    </>
  );
}

interface HistoryOptions {
  readonly live: LiveFleet;
  readonly state: GpuState;
  readonly window: TimeWindow;
  readonly gauges: readonly Metric[];
  readonly onMark: (window: TimeWindow) => void;
}

function History({ live, state, window, gauges, onMark }: HistoryOptions) {
  const history = useHistory(live, state.uuid, state);
  const { holdings, faults, problem = history.problem } = useLanes(state);
  const metrics = useMemo(
    () => state.metrics.flatMap((name) => gauges.find((each) => each.name === name) ?? []),
    [state.metrics, gauges],
  );
  return (
    <>
      {problem !== undefined && live.status.name === "LIVE" && (
        <p class="notice problem" role="alert">
          The history cannot be read: {problem}
        </p>
      )}
      {history.value === undefined ? (
        <p class="notice">Reading the history …</p>
      ) : (
        <>
          <Charts {...{ metrics, holdings, faults, window, onMark }} history={history.value} />
          <p class="source">
            {sourceTexts[history.value.resolution]}; times are those of this browser.{" "}
            <a href={apiPath(state)}>The same from the API</a>
          </p>
        </>
      )}
    </>
  );
}

/** What lasted: who held the GPU, and its faults. */
function useLanes({ uuid, time }: GpuState) {
  const changes = useAnswer(() => readHoldingChanges(uuid), factsEveryMs, [uuid]);
  const read = () => readFaultsOf(uuid, windowOf(time, nowMs()));
  const faults = useAnswer(read, factsEveryMs, [uuid, JSON.stringify(time)]);
  return {
    holdings: useMemo(() => holdingsOf(changes.value ?? []), [changes.value]),
    faults: useMemo(() => (faults.value ?? []).map(lastingOf), [faults.value]),
    problem: changes.problem ?? faults.problem,
  };
}

/** A fault lasts from its beginning until it has ended. */
const lastingOf = ({ id, severity, summary, started_at: from, ended_at: to }: Fault): Lasting => ({
  ...{ id, text: `${severity}: ${summary}` },
  ...{ fromMs: msOf(from), toMs: to === undefined ? Infinity : msOf(to) },
});

const sourceTexts: Readonly<Record<Resolution, string>> = {
  raw: "Each value as it was reported",
  "1m": "Averages by the minute, with their extremes",
  "1h": "Averages by the hour, with their extremes",
  "1d": "Averages by the day, with their extremes",
};

/** What is shown; a range moves on with time, in steps that can be seen. */
function useWindow(time: TimeChoice) {
  const stepMs = isMoving(time) ? Math.max(1000, rangeMs[time] / windowSteps) : 1;
  const nowStep = isMoving(time) ? Math.ceil(nowMs() / stepMs) * stepMs : 0;
  return useMemo(() => windowOf(time, nowStep), [time, nowStep]);
}

function apiPath({ uuid, time, metrics }: GpuState): string {
  const { fromMs, toMs } = windowOf(time, nowMs());
  const query = new URLSearchParams({
    ...{ metrics: metrics.join(","), resolution: "auto", limit: "10000" },
    start_time: new Date(fromMs).toISOString(),
    ...(isMoving(time) ? {} : { end_time: new Date(toMs).toISOString() }),
  });
  return `/api/v1/gpus/${encodeURIComponent(uuid)}/telemetry?${query.toString()}`;
}
