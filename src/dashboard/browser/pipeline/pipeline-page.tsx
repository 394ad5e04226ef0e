import { missedText, shareText } from "../../model/coverage-text.ts";
import { rateText, secondsText } from "../../model/pipeline-text.ts";
import { Loading, Refused } from "../fleet/notices.tsx";
import { Tile, Tiles } from "../frame/facts.tsx";
import { useEmitter } from "../live/emitter.ts";
import type { LivePipeline } from "../live/pipeline-api.ts";
import { DeadLetters } from "./dead-letters.tsx";
import { Coverage, Degraded, ScalingDecisions, Services, Targets } from "./parts.tsx";
import { Quarantine } from "./quarantine.tsx";

/** The pipeline: how fast it is, which processes it has and why so many, what it reads, and what it could not use. */
export function PipelinePage({ live }: { readonly live: LivePipeline }) {
  useEmitter(live.changes);
  if (live.status.name === "REFUSED") return <Refused status={live.status} />;
  if (!live.isLoaded) return <Loading status={live.status} />;
  return (
    <>
      <PipelineTiles live={live} />
      <Degraded live={live} />
      <DeadLetters live={live} />
      <Services live={live} />
      <ScalingDecisions live={live} />
      <Targets live={live} />
      <Coverage live={live} />
      <Quarantine live={live} />
    </>
  );
}

function PipelineTiles({ live: { answers } }: { readonly live: LivePipeline }) {
  const { pipeline, services = [], coverage } = answers;
  const rejected = Object.entries(pipeline?.rejected ?? {});
  const whole = coverage?.length === 1 ? coverage[0] : undefined;
  const waiting = (number: number | undefined): string => (number === undefined ? "no data" : String(number));
  return (
    <Tiles label="Summary">
      <Tile id="rate" name="Samples" value={rateText(services.map(({ load }) => load.samples_per_second))}>
        read; messages stored {rateText(services.map(({ load }) => load.stored_messages_per_second))}
      </Tile>
      <Tile id="queue" name="Queue" value={waiting(pipeline?.queue.depth)}>
        messages of at most {waiting(pipeline?.queue.capacity)}, {waiting(pipeline?.queue.in_flight)} in work
      </Tile>
      <Tile id="lag" name="Lag" value={secondsText(pipeline?.queue.lag_seconds)}>
        age of the oldest message
      </Tile>
      <Tile id="processes" name="Processes" value={waiting(answers.services?.length)}>
        {services.filter(({ state }) => state === "ready").length} ready
      </Tile>
      <Tile id="dead" name="Dead letters" value={waiting(pipeline?.queue.dead)} />
      <Tile
        id="rejected"
        name="Rejected inputs"
        value={pipeline === undefined ? "no data" : String(rejected.reduce((sum, [, count]) => sum + count, 0))}
      >
        {rejected.map(([reason, count]) => `${count} ${reason}`).join(", ")}
      </Tile>
      {whole !== undefined && (
        <Tile id="coverage" name="Coverage" value={shareText(whole)}>
          {missedText(whole)}, in this hour and the last
        </Tile>
      )}
    </Tiles>
  );
}
