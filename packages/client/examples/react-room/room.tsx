/** A room: who is here, who is away, where their pointers are, and who types. */
import { mergeStatus, type Person, type StatusMeta } from "@presently/client";
import { useConnection, useLiveValues, usePresence, useStatus, useTyping } from "@presently/client/react";
import { useEffect } from "react";

interface Profile extends StatusMeta {
  readonly name: string;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

export function Room({ topic, name, idleMs }: { topic: string; name: string; idleMs?: number }) {
  const { people, self, status } = usePresence<Profile>(topic, { meta: { name } });
  const connection = useConnection();
  const own = useStatus(topic, idleMs === undefined ? {} : { idleMs });
  return (
    <main data-room={status} data-connection={connection}>
      <h1>{topic}</h1>
      <p>
        {connection}, {own}
      </p>
      <ul>
        {people.map((person) => (
          <li key={person.key} data-status={mergeStatus(person.metas)}>
            {labelOf(person)}
            {person.key === self?.key && " – you"}
          </li>
        ))}
      </ul>
      <Draft topic={topic} people={people} />
      <Pointers topic={topic} people={people} />
    </main>
  );
}

interface PartProps {
  readonly topic: string;
  readonly people: readonly Person<Profile>[];
}

function Draft({ topic, people }: PartProps) {
  const { keys, touch, stop } = useTyping(topic);
  const names = people.filter(({ key }) => keys.includes(key)).map(({ meta }) => meta.name);
  return (
    <p>
      <input aria-label="Message" onChange={touch} onBlur={stop} />
      <output>{names.length > 0 && `${names.join(", ")} …`}</output>
    </p>
  );
}

function Pointers({ topic, people }: PartProps) {
  const { values, set, clear } = useLiveValues<Point>(topic, "pointer");
  useEffect(() => {
    const moved = ({ clientX, clientY }: PointerEvent) => set({ x: clientX, y: clientY });
    const root = document.documentElement;
    root.addEventListener("pointermove", moved);
    root.addEventListener("pointerleave", clear);
    return () => {
      root.removeEventListener("pointermove", moved);
      root.removeEventListener("pointerleave", clear);
    };
  }, [set, clear]);
  return people.map(({ key, meta }) => {
    const point = values.get(key);
    if (point === undefined) return null;
    return (
      <span key={key} className="pointer" style={{ left: point.x, top: point.y }}>
        {meta.name}
      </span>
    );
  });
}

function labelOf({ meta, metas }: Person<Profile>): string {
  return metas.length > 1 ? `${meta.name} (${metas.length})` : meta.name;
}
