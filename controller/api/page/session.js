// Who looks: the token, kept for this tab alone (see docs/explanations/decisions, "The page keeps its token in the tab").

const KEY = "labwright-token";
const channel = "BroadcastChannel" in window ? new BroadcastChannel("labwright-session") : null;

export const session = {
  token: read(),
  person: null,

  keep(token) {
    this.token = token;
    try { sessionStorage.setItem(KEY, token); } catch { /* a browser that keeps nothing asks again after a reload */ }
  },
  forget() {
    this.token = this.person = null;
    try { sessionStorage.removeItem(KEY); } catch { /* nothing was kept */ }
  },
  may(role) {
    const order = ["look", "operate", "administer"];
    return order.indexOf(this.person?.role) >= order.indexOf(role);
  },
};

function read() {
  try { return sessionStorage.getItem(KEY); } catch { return null; }
}

channel?.addEventListener("message", ({data}) => {
  if (data?.ask && session.token) channel.postMessage({token: session.token});
});

/** Ask other windows of this page, of the same address and port, for their token; null where none answers at once. */
export function fromOtherWindow(patience = 250) {
  if (!channel) return Promise.resolve(null);
  return new Promise((resolve) => {
    const take = ({data}) => { if (data?.token) done(data.token); };
    const late = setTimeout(() => done(null), patience);
    function done(token) {
      clearTimeout(late);
      channel.removeEventListener("message", take);
      resolve(token);
    }
    channel.addEventListener("message", take);
    channel.postMessage({ask: true});
  });
}

/** Take the secret of a link out of the address, and out of the history with it; null where there is none. */
export function linkFromAddress() {
  const found = /^#link=([\w-]+)$/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", location.pathname);
  return found[1];
}
