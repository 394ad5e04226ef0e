import { useEffect, useRef } from "preact/hooks";
import { type Colour, colourAt, specialColours } from "../../model/colour-scale.ts";
import { metricFacts, type MetricKey } from "../../model/metric.ts";

const names: Readonly<Record<keyof typeof specialColours, string>> = {
  noData: "no data",
  stale: "stale",
  maintenance: "under maintenance",
};

/** Says which colour means what. */
export function Legend({ metric, range }: { readonly metric: MetricKey; readonly range: readonly [number, number] }) {
  const scale = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = scale.current?.getContext("2d");
    if (!context) return;
    for (let x = 0; x < 256; x++) {
      context.fillStyle = cssOf(colourAt(x / 255));
      context.fillRect(x, 0, 1, 1);
    }
  }, []);
  const { unit, label } = metricFacts[metric];
  return (
    <div class="legend">
      <span>
        {label} {range[0]} {unit}
      </span>
      <canvas ref={scale} width={256} height={1} aria-hidden="true" />
      <span>
        {range[1]} {unit}
      </span>
      {(Object.keys(names) as (keyof typeof names)[]).map((key) => (
        <span key={key} class="special">
          <i style={{ background: cssOf(specialColours[key]) }} aria-hidden="true" />
          {names[key]}
        </span>
      ))}
    </div>
  );
}

const cssOf = (colour: Colour): string => `rgb(${colour.join(" ")})`;
