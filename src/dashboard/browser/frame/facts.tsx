import type { ComponentChildren } from "preact";

/** Figures with their names. */
export function Tiles({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    <dl class="tiles" aria-label={label}>
      {children}
    </dl>
  );
}

interface TileOptions {
  /** How tests and style sheets find it. */
  readonly id: string;
  readonly name: string;
  readonly value: string;
  readonly children?: ComponentChildren;
}

/** A figure, and what there is to say about it. */
export function Tile({ id, name, value, children }: TileOptions) {
  return (
    <div class="tile" data-tile={id}>
      <dt>{name}</dt>
      <dd>
        <strong>{value}</strong>
        <small>{children}</small>
      </dd>
    </div>
  );
}

/** Says what became of what a person has done; screen readers say it, too. */
export function Said({ text }: { readonly text: string }) {
  return (
    <p role="status" class="said">
      {text}
    </p>
  );
}
