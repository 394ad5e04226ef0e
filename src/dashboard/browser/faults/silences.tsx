import { dateText } from "../../model/format.ts";
import { type Column, DataTable } from "../frame/data-table.tsx";
import { endSilence, type LiveFaults, type Silence } from "../live/fault-api.ts";
import { msOf } from "../live/gateway-api.ts";

const columns: readonly Column<Silence>[] = [
  [
    "Faults",
    ({ matchers }) =>
      Object.entries(matchers)
        .map(([field, text]) => `${field}=${text}`)
        .join(", "),
  ],
  ["State", ({ state }) => state],
  ["Until", ({ ends_at: at }) => dateText(msOf(at))],
  ["Reason", ({ reason }) => reason],
  ["Author", ({ author }) => author],
];

interface SilencesOptions {
  readonly live: LiveFaults;
  readonly mayChange: boolean;
  readonly onOrder: (order: Promise<string>) => void;
}

/** The silences that are in force or planned. */
export function Silences({ live: { answers, problems }, mayChange, onOrder }: SilencesOptions) {
  const actions: Column<Silence> = [
    "Actions",
    ({ id }) => (
      <button
        type="button"
        class="button"
        onClick={() => onOrder(endSilence(id).then(() => `Silence ${id} has ended.`))}
      >
        End
      </button>
    ),
  ];
  return (
    <DataTable
      id="silences"
      title="Silences"
      rows={answers.silences}
      problem={problems.silences}
      columns={mayChange ? [...columns, actions] : columns}
      keyOf={({ id }) => String(id)}
      empty="No fault is silenced."
    />
  );
}
