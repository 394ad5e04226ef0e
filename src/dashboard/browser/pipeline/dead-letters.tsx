import { dateText } from "../../model/format.ts";
import { msOf } from "../live/gateway-api.ts";
import { type DeadLetter, deleteLetter, type LivePipeline, redrive } from "../live/pipeline-api.ts";
import { Said } from "../frame/facts.tsx";
import { WhyNot } from "../frame/why-not.tsx";
import { type Column, DataTable } from "../frame/data-table.tsx";
import { RowActions } from "./row-actions.tsx";
import { useOrders } from "../frame/use-orders.ts";

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
  const { mayChange, said, run } = useOrders(live);
  const actions: Column<DeadLetter> = [
    "Actions",
    ({ id, records }) => (
      <RowActions
        what={`${records} records`}
        onRedrive={() => run(redrive(id).then(() => `Message ${id} is delivered again.`))}
        onDelete={() => run(deleteLetter(id).then(() => `Message ${id} is deleted, with ${records} records.`))}
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
