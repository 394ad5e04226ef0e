import { dateText } from "../../model/format.ts";
import { Said } from "../frame/facts.tsx";
import { type Column, DataTable } from "../frame/data-table.tsx";
import { WhyNot } from "../frame/why-not.tsx";
import { msOf } from "../live/gateway-api.ts";
import { deleteRejection, type LivePipeline, redriveRejection, type Rejection } from "../live/pipeline-api.ts";
import { RowActions } from "./row-actions.tsx";
import { useOrders } from "../frame/use-orders.ts";

const columns: readonly Column<Rejection>[] = [
  ["Seen", ({ seen_at: at }) => dateText(msOf(at))],
  ["Source", (input) => <a href={listOf(input)}>{input.source_id}</a>],
  ["Line", ({ line }) => line],
  ["Field", ({ field }) => field],
  ["Value", ({ value }) => value],
  ["Reason", ({ message }) => message],
];

/** The list of all that was rejected of the input's push, file or source. */
function listOf({ source_id: source, push_id: push }: Rejection): string {
  const filter = push === undefined ? { source_id: source } : { push_id: push };
  return `/api/v1/quarantine?${new URLSearchParams(filter).toString()}`;
}

/** The newest rejected inputs. Those who may try them again, or delete them. */
export function Quarantine({ live }: { readonly live: LivePipeline }) {
  const { answers, problems } = live;
  const { mayChange, said, run } = useOrders(live);
  const actions: Column<Rejection> = [
    "Actions",
    ({ id }) => (
      <RowActions
        what="this input"
        onRedrive={() =>
          run(redriveRejection(id).then(() => `Input ${id} is accepted now, and on its way into the store.`))
        }
        onDelete={() => run(deleteRejection(id).then(() => `Input ${id} is deleted.`))}
      />
    ),
  ];
  const hasRows = (answers.rejections?.length ?? 0) > 0;
  return (
    <DataTable
      id="quarantine"
      title="Quarantine"
      rows={answers.rejections}
      problem={problems.rejections}
      columns={mayChange ? [...columns, actions] : columns}
      keyOf={({ id }) => String(id)}
      empty="No input was rejected."
    >
      {hasRows && (
        <p>
          The newest inputs that could not be used. They stay here as they came; correct the source and read it again,
          or redrive the rows of a file that this version accepts.
        </p>
      )}
      {hasRows && !mayChange && <WhyNot action="redrive or delete rejected inputs" me={answers.me} />}
      <Said text={said} />
    </DataTable>
  );
}
