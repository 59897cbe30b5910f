/** The page: `?name=Alice`, and `&socket=wss://…/socket` where the server is another one than that of the page. */
import { createClient } from "@presently/client";
import { PresentlyProvider } from "@presently/client/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Room } from "./room.tsx";

const query = new URLSearchParams(location.search);
const name = query.get("name") ?? `Guest ${Math.floor(Math.random() * 1_000)}`;
const client = createClient(query.get("socket") ?? "/socket", { key: name });

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <PresentlyProvider client={client}>
      <Room topic={query.get("room") ?? "room:42"} name={name} />
    </PresentlyProvider>
  </StrictMode>,
);
