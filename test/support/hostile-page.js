// Runs in a browser, in a page that means harm and has the token: everything such a page can send to another origin.
// "GOT": it read an answer. What the server did is for the test to see.
globalThis.attack = async ({ target, token }) => {
  const api = `${target}/api/v1/projects`;
  const json = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const attempt = (what, options, address = api) =>
    fetch(address, options).then(
      ({ type, status }) => (type === 'opaque' || status >= 400 ? `${what}: sent, for nothing` : `${what}: GOT ${status}`),
      () => `${what}: refused`,
    );
  const socket = new Promise((resolve) => {
    const opened = new WebSocket(api.replace('http', 'ws'));
    opened.onopen = () => resolve('websocket: GOT through');
    opened.onerror = () => resolve('websocket: refused');
  });
  const frame = Object.assign(document.createElement('iframe'), { name: 'frame' });
  const form = Object.assign(document.createElement('form'), { method: 'POST', action: api, target: 'frame' });
  document.body.append(frame, form);
  const posted = new Promise((resolve) => {
    frame.onload = () => resolve('form: sent');
  });
  form.submit();
  new Image().src = api;
  navigator.sendBeacon(api, new Blob(['{}'], { type: 'text/plain' }));
  return Promise.all([
    attempt('read', {}),
    attempt('read with cookies', { credentials: 'include' }),
    attempt('read with the token', { headers: { authorization: `Bearer ${token}` } }),
    attempt('write with the token', { method: 'POST', headers: json, body: '{}' }),
    attempt('delete with the token', { method: 'DELETE', headers: json }),
    attempt('no-cors text', { method: 'POST', mode: 'no-cors', body: '{}' }),
    attempt('no-cors read', { mode: 'no-cors', credentials: 'include' }),
    attempt('page', {}, `${target}/`),
    socket,
    posted,
  ]);
};
