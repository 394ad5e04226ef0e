import { useState } from "preact/hooks";
import { dateText } from "../../model/format.ts";
import { msOf } from "../live/gateway-api.ts";
import type { LivePipeline } from "../live/live-pipeline.ts";
import { type DeadLetter, deleteLetter, type Me, redrive } from "../live/pipeline-api.ts";
import { type Column, DataTable } from "./data-table.tsx";

const columns: readonly Column<DeadLetter>[] = [
  ["Message", ({ id }) => id],
  ["Since", ({ dead_at: at }) => dateText(msOf(at))],
  ["Source", ({ source_id: source }) => source],
  ["Records", ({ records }) => records],
  ["Deliveries", ({ attempts }) => attempts],
  ["Last error", ({ last_error: error }) => error],
];

/** The messages that no collector could store. Those who may deliver them again, or delete them. */
export function DeadLetters({ live }: { readonly live: LivePipeline }) {
  const { answers, problems } = live;
  const [said, say] = useState("");
  const [deleting, setDeleting] = useState<string | undefined>(undefined);
  const mayChange = answers.me?.scopes.includes("operate") === true;
  const run = async (change: Promise<unknown>, done: string): Promise<void> => {
    setDeleting(undefined);
    say(await change.then(() => done).catch(messageOf));
    await live.refresh();
  };
  const actions: Column<DeadLetter> = [
    "Actions",
    ({ id, records }) => (
      <Actions
        isDeleting={deleting === id}
        records={records}
        onRedrive={() => void run(redrive(id), `Message ${id} is delivered again.`)}
        onDelete={() => void run(deleteLetter(id), `Message ${id} is deleted, with ${records} records.`)}
        onAsk={(isAsked) => setDeleting(isAsked ? id : undefined)}
      />
    ),
  ];
  return (
    <DataTable
      id="dead-letters"
      title="Dead letters"
      rows={answers.deadLetters}
      problem={problems.deadLetters}
      columns={mayChange ? [...columns, actions] : columns}
      keyOf={({ id }) => id}
      empty="No message has failed for good."
    >
      {!mayChange && (answers.deadLetters?.length ?? 0) > 0 && <p class="why">{whyNot(answers.me)}</p>}
      <p role="status" class="said">
        {said}
      </p>
    </DataTable>
  );
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function whyNot(me: Me | undefined): string {
  const who = me === undefined || me.name === "" ? "You have" : `${me.name} has`;
  const scopes = me === undefined || me.scopes.length === 0 ? "no scope" : me.scopes.join(", ");
  return `To deliver messages again or delete them needs the scope operate. ${who} ${scopes}; an administrator can give it.`;
}

interface ActionsOptions {
  readonly isDeleting: boolean;
  readonly records: number;
  readonly onRedrive: () => void;
  readonly onDelete: () => void;
  readonly onAsk: (isAsked: boolean) => void;
}

/** Nothing is deleted by one click. */
function Actions({ isDeleting, records, onRedrive, onDelete, onAsk }: ActionsOptions) {
  if (isDeleting) {
    return (
      <span class="actions">
        <button type="button" class="button" onClick={onDelete}>
          Delete {records} records for good
        </button>
        <button type="button" class="button" onClick={() => onAsk(false)}>
          Keep
        </button>
      </span>
    );
  }
  return (
    <span class="actions">
      <button type="button" class="button" onClick={onRedrive}>
        Redrive
      </button>
      <button type="button" class="button" onClick={() => onAsk(true)}>
        Delete
      </button>
    </span>
  );
}
