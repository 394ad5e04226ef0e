import { useState } from "preact/hooks";
import { dateText } from "../../model/format.ts";
import { messageOf, msOf } from "../live/gateway-api.ts";
import { type DeadLetter, deleteLetter, type LivePipeline, redrive } from "../live/pipeline-api.ts";
import { Said } from "../frame/facts.tsx";
import { WhyNot } from "../frame/why-not.tsx";
import { type Column, DataTable } from "../frame/data-table.tsx";

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
    (letter) => (
      <Actions
        letter={letter}
        isDeleting={deleting === letter.id}
        onRedrive={({ id }) => void run(redrive(id), `Message ${id} is delivered again.`)}
        onDelete={({ id, records }) => void run(deleteLetter(id), `Message ${id} is deleted, with ${records} records.`)}
        onAsk={setDeleting}
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
      {!mayChange && (answers.deadLetters?.length ?? 0) > 0 && (
        <WhyNot action="deliver messages again or delete them" me={answers.me} />
      )}
      <Said text={said} />
    </DataTable>
  );
}

interface ActionsOptions {
  readonly letter: DeadLetter;
  readonly isDeleting: boolean;
  readonly onRedrive: (letter: DeadLetter) => void;
  readonly onDelete: (letter: DeadLetter) => void;
  /** Whether this message is to be deleted has to be answered, or undefined: has been. */
  readonly onAsk: (id: string | undefined) => void;
}

/** Nothing is deleted by one click. */
function Actions({ letter, isDeleting, onRedrive, onDelete, onAsk }: ActionsOptions) {
  const buttons: readonly (readonly [text: string, work: () => void])[] = isDeleting
    ? [
        [`Delete ${letter.records} records for good`, () => onDelete(letter)],
        ["Keep", () => onAsk(undefined)],
      ]
    : [
        ["Redrive", () => onRedrive(letter)],
        ["Delete", () => onAsk(letter.id)],
      ];
  return (
    <span class="actions">
      {buttons.map(([text, work]) => (
        <button key={text} type="button" class="button" onClick={work}>
          {text}
        </button>
      ))}
    </span>
  );
}
