import { holderText } from "../../model/device.ts";
import {
  faultQueryOf,
  faultShowNames,
  faultShows,
  type FaultState,
  faultStateOf,
  hasWords,
  mostFaults,
  severities,
} from "../../model/fault-state.ts";
import { Loading, Refused } from "../fleet/notices.tsx";
import { type ChangeState, useUrlState } from "../frame/use-url-state.ts";
import { Said } from "../frame/facts.tsx";
import { useOrders } from "../frame/use-orders.ts";
import { WhyNot } from "../frame/why-not.tsx";
import { useEmitter } from "../live/emitter.ts";
import { type Fault, faultQuestions, type LiveFaults } from "../live/fault-api.ts";
import { FaultCard } from "./fault-card.tsx";
import { Silences } from "./silences.tsx";

const urlState = { read: faultStateOf, write: faultQueryOf };

/** What is wrong, the newest first, with what to do about it. */
export function FaultsPage({ live }: { readonly live: LiveFaults }) {
  useEmitter(live.changes);
  if (live.status.name === "REFUSED") return <Refused status={live.status} />;
  if (!live.isLoaded) return <Loading status={live.status} />;
  return <Faults live={live} />;
}

function Faults({ live }: { readonly live: LiveFaults }) {
  const { answers, problems } = live;
  const [state, setState] = useUrlState(urlState);
  const change: ChangeState<FaultState> = (changes, isTyping) => {
    setState(changes, isTyping);
    live.replace(faultQuestions({ ...state, ...changes }));
  };
  const { mayChange, said, run } = useOrders(live);
  const { data: faults = [], notice } = answers.found ?? {};
  const found = faults.filter((fault) => hasWords(state.search, textsOf(fault)));
  return (
    <>
      <FaultBar state={state} change={change} />
      {!mayChange && <WhyNot action="acknowledge or silence faults" me={answers.me} />}
      {problems.found !== undefined && <p class="problem">The faults cannot be read: {problems.found}</p>}
      {notice !== undefined && <p class="problem">{notice}.</p>}
      <Said text={said} />
      <p>
        {found.length} {found.length === 1 ? "fault" : "faults"}
        {faults.length >= mostFaults && ` of the newest ${mostFaults}; there are more, and a severity narrows them`}
      </p>
      {found.length === 0 && <NoFault show={state.show} isKnown={notice === undefined} />}
      <ol class="faults" aria-label="Faults">
        {found.map((fault) => (
          <FaultCard key={fault.id} fault={fault} mayChange={mayChange} onOrder={(order) => void run(order)} />
        ))}
      </ol>
      <Silences live={live} mayChange={mayChange} onOrder={(order) => void run(order)} />
    </>
  );
}

const textsOf = (fault: Fault): readonly (string | undefined)[] => [
  ...[fault.name, fault.summary, fault.hostname, fault.uuid, fault.job, fault.cluster_id, fault.why],
  holderText(fault.holders),
];

interface NoFaultOptions extends Pick<FaultState, "show"> {
  /** False if no process looks for faults. */
  readonly isKnown: boolean;
}

function NoFault({ show, isKnown }: NoFaultOptions) {
  const none = show === "open" && isKnown ? "No fault fires." : "The list is empty.";
  return (
    <p class="notice" role="status">
      {none} <a href="/api/v1/faults/rules">The rules</a> say what is looked for.
    </p>
  );
}

interface FaultBarOptions {
  readonly state: FaultState;
  readonly change: ChangeState<FaultState>;
}

/** The choice of the faults that are shown. */
function FaultBar({ state, change }: FaultBarOptions) {
  return (
    <div class="toolbar">
      <label class="search">
        <span class="for-readers">Search faults</span>
        <input
          type="search"
          value={state.search}
          placeholder="xid gpu-01"
          onInput={({ currentTarget: { value } }) => change({ search: value }, true)}
        />
      </label>
      <fieldset class="choices">
        <legend class="for-readers">State</legend>
        {faultShowNames.map((name) => (
          <label key={name}>
            <input type="radio" name="show" checked={state.show === name} onChange={() => change({ show: name })} />
            <span>{faultShows[name].label}</span>
          </label>
        ))}
      </fieldset>
      <label>
        <span class="for-readers">Severity</span>
        <select
          value={state.severity ?? ""}
          onChange={({ currentTarget: { value } }) => change({ severity: severities.find((each) => each === value) })}
        >
          <option value="">every severity</option>
          {severities.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
    </div>
  );
}
