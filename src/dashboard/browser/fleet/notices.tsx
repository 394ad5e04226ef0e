import { useEffect } from "preact/hooks";
import { after } from "../clock.ts";
import { readMe } from "../live/answer-data.ts";
import type { LiveStatus } from "../live/live-status.ts";

/** A person who signs in on another page is known here within this time. */
const lookEveryMs = 5000;

/** Before the first lists. */
export function Loading({ status }: { readonly status: LiveStatus }) {
  if (status.name !== "AWAY") return <p class="notice">Reading the fleet …</p>;
  return (
    <div class="notice problem" role="alert">
      <h2>The fleet cannot be read</h2>
      <p>{status.reason}</p>
      <p>
        The page tries again by itself. <a href="/health">/health</a> says how the gateway is.
      </p>
    </div>
  );
}

/** The gateway does not let the person see the fleet. */
export function Refused({ status }: { readonly status: LiveStatus & { readonly name: "REFUSED" } }) {
  const returnTo = encodeURIComponent(`${location.pathname}${location.search}`);
  useEffect(() => (status.canSignIn ? reloadOnceSignedIn() : undefined), [status.canSignIn]);
  return (
    <div class="notice problem" role="alert">
      <h2>You cannot see the fleet</h2>
      <p>{status.reason}</p>
      <p>
        {status.canSignIn ? (
          <a href={`/sign-in?return_to=${returnTo}`}>Sign in</a>
        ) : (
          "Ask an administrator for a key or a group with the scope read, then load the page again."
        )}
      </p>
    </div>
  );
}

/** Loads the page again when the gateway knows who the person is. @returns ends the wait */
function reloadOnceSignedIn(): () => void {
  let cancel = (): void => undefined;
  const look = async (): Promise<void> => {
    const isKnown =
      document.visibilityState === "visible" &&
      (await readMe().then(
        () => true,
        () => false,
      ));
    if (isKnown) location.reload();
    else cancel = after(lookEveryMs, () => void look());
  };
  cancel = after(lookEveryMs, () => void look());
  return () => cancel();
}

/** No device has reported yet. */
export function EmptyFleet({ neverReported = 0 }: { readonly neverReported: number | undefined }) {
  return (
    <div class="notice" role="status">
      <h2>No GPU has reported yet</h2>
      {neverReported > 0 && <p>{neverReported} declared devices have never reported.</p>}
      <p>Point the pipeline at exporters, and the GPUs appear here by themselves:</p>
      <pre>DCGM_TARGETS=gpu-01:9400,gpu-02:9400 bun run dev</pre>
      <p>
        <code>NVIDIA_SMI=true bun run dev</code> reads the GPUs of this machine, and <code>bun run dev</code> alone
        simulates a fleet. <a href="/api/v1/targets">/api/v1/targets</a> says why a target does not answer.
      </p>
    </div>
  );
}
