import { searchFor } from "../../model/search.ts";
import {
  type FigureKey,
  figureKeys,
  figureOf,
  figureText,
  heldRows,
  inUsageOrder,
  sumText,
  type UsageGroup,
  usageNameOf,
  type UsageRow,
  type UsageSort,
} from "../../model/usage-figures.ts";
import { usageQueryOf, usageSortedBy, type UsageState } from "../../model/usage-state.ts";
import { fleetPath } from "../../pages.ts";
import { SortHeaders } from "../frame/sort-headers.tsx";
import type { ChangeState } from "../frame/use-url-state.ts";
import { UseBar, UseLegend } from "./use-bar.tsx";

interface UsageTableOptions {
  readonly state: UsageState;
  readonly rows: readonly UsageRow[];
  readonly change: ChangeState<UsageState>;
}

const nameLabels: Readonly<Record<UsageGroup, string>> = {
  namespace: "Namespace",
  pod: "Pod",
  job: "Job",
  user: "User",
};

const figureLabels: Readonly<Record<FigureKey, string>> = {
  devices: "GPUs",
  allocated: "Allocated",
  active: "Active",
  effective: "Effective",
  idle: "Idle",
  idle_energy: "Idle energy",
  idle_cost: "Idle cost",
  energy: "Energy",
  cost: "Cost",
};

/** More rows than this are not read by a person, and make the page slow. */
const mostRows = 200;

/** Those who held GPUs, one row each. */
export function UsageTable({ state, rows, change }: UsageTableOptions) {
  const held = heldRows(rows);
  if (held.length === 0) return <NobodyHeld />;
  const shown = inUsageOrder(held, state.by, state.sort).slice(0, mostRows);
  const hasCost = held.some(({ cost }) => cost !== undefined);
  const keys = figureKeys.filter((key) => hasCost || (key !== "cost" && key !== "idle_cost"));
  const most = Math.max(...held.map((row) => row.allocated_seconds));
  return (
    <section class="part" data-part="usage">
      <UseLegend />
      {held.length > shown.length && (
        <p>
          The first {mostRows} of {held.length} in this order; the sums have all of them.
        </p>
      )}
      <div class="scroller" role="region" aria-label="Usage" tabIndex={0}>
        <table>
          <Header
            by={state.by}
            keys={keys}
            sort={state.sort}
            onSort={(key) => change({ sort: usageSortedBy(key, state.sort) })}
          />
          <tbody>
            {shown.map((row) => (
              <Row key={usageNameOf(row, state.by)} state={state} row={row} keys={keys} most={most} />
            ))}
          </tbody>
          {held.length > 1 && <Sums held={held} keys={keys} hasFleet={hasFleet(state.by)} />}
        </table>
      </div>
    </section>
  );
}

function NobodyHeld() {
  return (
    <div class="notice" role="status">
      <h2>No one held a GPU in this time</h2>
      <p>
        Choose a longer range. If workloads did run, their records do not name them: dcgm-exporter adds the pods with{" "}
        <code>DCGM_EXPORTER_KUBERNETES=true</code>, and the jobs of a batch system with{" "}
        <code>--hpc-job-mapping-dir</code>.
      </p>
    </div>
  );
}

/** Live records name namespaces and pods, not jobs and users. */
const hasFleet = (by: UsageGroup): boolean => by === "namespace" || by === "pod";

interface HeaderOptions {
  readonly by: UsageGroup;
  readonly keys: readonly FigureKey[];
  readonly sort: UsageSort;
  readonly onSort: (key: UsageSort["key"]) => void;
}

function Header({ by, keys, sort, onSort }: HeaderOptions) {
  const columns = keys.map((key) => [key, figureLabels[key]] as const);
  return (
    <thead>
      <tr>
        <SortHeaders columns={[["name", nameLabels[by]]]} sort={sort} onSort={onSort} />
        <th scope="col">Use</th>
        <SortHeaders<UsageSort["key"]> columns={columns} sort={sort} onSort={onSort} />
        {hasFleet(by) && <th scope="col">Now</th>}
      </tr>
    </thead>
  );
}

interface RowOptions {
  readonly state: UsageState;
  readonly row: UsageRow;
  readonly keys: readonly FigureKey[];
  /** The most seconds that a row has. */
  readonly most: number;
}

function Row({ state, row, keys, most }: RowOptions) {
  const { by } = state;
  const name = usageNameOf(row, by);
  const search = hasFleet(by) ? searchFor(namesOf(row, by)) : undefined;
  return (
    <tr data-row={name}>
      <th scope="row">
        <Name state={state} name={name} />
      </th>
      <td>
        <UseBar row={row} most={most} />
      </td>
      {keys.map((key) => (
        <td key={key} class="number" data-figure={key} data-value={figureOf(row, key)}>
          {figureText(row, key)}
        </td>
      ))}
      {hasFleet(by) && (
        <td>
          {name !== "" && search !== undefined && (
            <a href={fleetPath(search)} aria-label={`fleet: GPUs that ${name} holds now`}>
              fleet
            </a>
          )}
        </td>
      )}
    </tr>
  );
}

function namesOf(
  { namespace = "", pod = "" }: UsageRow,
  by: UsageGroup,
): { readonly namespace?: string; readonly pod?: string } {
  return { ...(namespace === "" ? {} : { namespace }), ...(by === "namespace" || pod === "" ? {} : { pod }) };
}

/** A namespace leads to its pods, and a user to its jobs; both to the jobs that have ended. */
function Name({ state, name }: { readonly state: UsageState; readonly name: string }) {
  const { by, holder } = state;
  if (name === "") return <>no {by}</>;
  if (by !== "namespace" && by !== "user") return <>{name}</>;
  const inside: UsageState = { ...state, by: by === "namespace" ? "pod" : "job", holder: { ...holder, [by]: name } };
  return <a href={`${location.pathname}${usageQueryOf(inside)}`}>{name}</a>;
}

interface SumsOptions {
  readonly held: readonly UsageRow[];
  readonly keys: readonly FigureKey[];
  readonly hasFleet: boolean;
}

/** A device may be in several rows, so devices have no sum. */
function Sums({ held, keys, hasFleet }: SumsOptions) {
  return (
    <tfoot>
      <tr>
        <th scope="row">All</th>
        <td />
        {keys.map((key) => (
          <td key={key} class="number">
            {key === "devices" ? "" : sumText(held, key)}
          </td>
        ))}
        {hasFleet && <td />}
      </tr>
    </tfoot>
  );
}
