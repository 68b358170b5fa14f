'use strict';
// Writes down which functions of this process were called, as V8's precise coverage knows.
//
// Runs inside the image's own Node.js, 12 or newer, before anything of the image, in each
// process and in each worker thread. So: nothing of the program's may change what is done
// here (everything used is taken at the start), and nothing here is to be seen there: no
// listener, no reference that keeps it alive, no file kept open. A line is a JSON array;
// they are read by `vexxy.tracer.functions.node.wire`.

const begin = () => {
  const fs = require('fs');
  const { open, write, close, chmod, read, exists } = {
    open: fs.openSync, write: fs.writeSync, close: fs.closeSync, chmod: fs.chmodSync,
    read: fs.readFileSync, exists: fs.existsSync,
  };
  const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL } = fs.constants;
  const stringify = JSON.stringify;
  const apply = Reflect.apply;
  const later = setTimeout;
  const clock = process.hrtime;
  const self = process;
  const number = self.pid;
  const userOf = self.geteuid;

  const PLACE = __dirname.slice(0, __dirname.lastIndexOf('/')) + '-out/';
  const STOP = PLACE + 'stop';
  const TICK = 200;
  const WAIT_MAX = 1000;
  const SHARE = 50; // of the time, what taking the coverage may cost
  const REQUESTS_MAX = 300;
  const FUNCTIONS_MAX = 200000;
  const NAME_MAX = 500;
  const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGUSR2: 12, SIGTERM: 15 };

  const seconds = () => {
    const now = clock();
    return (now[0] + now[1] / 1e9).toFixed(6);
  };
  const begun = seconds().replace('.', '');
  let thread = 0;
  try {
    thread = require('worker_threads').threadId;
  } catch (error) {
    // 12 has them always; a thread of its own has a number anyhow.
  }
  const path = PLACE + 'node-' + number + '-' + begun + '-' + thread;

  // Each write finds the file by its name: the program may close what it does not know.
  const append = (name, text, flags) => {
    let file;
    try {
      file = open(name, O_WRONLY | flags);
    } catch (error) {
      name += '-' + userOf();
      try {
        file = open(name, O_WRONLY | O_CREAT | O_EXCL | flags, 0o666);
      } catch (again) {
        file = open(name, O_WRONLY | flags);
      }
    }
    try {
      const data = Buffer.from(text);
      let done = 0;
      while (done < data.length) done += write(file, data, done, data.length - done);
    } finally {
      close(file);
    }
  };
  const create = (name) => {
    try {
      close(open(name, O_WRONLY | O_CREAT | O_EXCL, 0o666));
      chmod(name, 0o666); // the user may change, and the mask must not matter
    } catch (error) {
      // As if it were of somebody else: `append` takes another name.
    }
  };

  let pending = '';
  const tell = (fields) => {
    pending += stringify(fields) + '\n';
  };
  const save = () => {
    if (!pending) return;
    const text = pending;
    pending = '';
    try {
      append(path, text, O_APPEND);
    } catch (error) {
      pending = text + pending;
      throw error;
    }
  };
  const noted = new Set();
  const note = (reason) => {
    if (noted.has(reason)) return;
    noted.add(reason);
    tell(['R', reason]);
  };
  const image = () => {
    try {
      const stat = read('/proc/self/stat', 'latin1');
      return stat.slice(stat.lastIndexOf(')')).split(' ')[26];
    } catch (error) {
      return begun;
    }
  };

  create(path);
  create(path + '.beat');
  tell(['H', number, self.ppid, thread, seconds(), self.versions.node, image(),
    self.execPath, self.argv.slice(0, 3), self.execArgv.slice(0, 20)]);

  let session;
  try {
    const inspector = require('inspector');
    session = new inspector.Session();
    session.connect();
    const { post } = inspector.Session.prototype;
    inspector.Session.prototype.post = function (method) {
      if (/^Profiler\.(start|stop|take)PreciseCoverage$/.test(method)) {
        note('the program measures its own coverage');
      }
      return apply(post, this, arguments);
    };
    session.ask = (method, options) => {
      let answer;
      let problem;
      apply(post, session, [method, options, (error, result) => {
        answer = result;
        problem = error;
      }]);
      if (problem) throw new Error(problem.message);
      return answer;
    };
    session.ask('Profiler.enable', {});
    session.ask('Profiler.startPreciseCoverage', { callCount: false, detailed: false });
  } catch (error) {
    note('functions cannot be listened to: ' + error.message);
    save();
    return;
  }
  if (self.env.NODE_V8_COVERAGE) note('the program measures its own coverage');
  for (const option of self.execArgv) {
    if (/^--(snapshot-blob|build-snapshot)/.test(option)) {
      note('the program runs from a snapshot');
    }
  }
  for (const name of Object.keys(require.cache)) {
    if (name !== __filename) tell(['B', name]);
  }

  // Scripts by their address; what is of Node.js itself is not told.
  const scripts = new Map();
  const known = new Set();
  const own = new Set(require('module').builtinModules);
  const isInternal = (url) =>
    url.startsWith('node:') || url.startsWith('internal/') || url === __filename ||
    url === 'file://' + __filename ||
    (url.endsWith('.js') && own.has(url.slice(0, -3)));

  const take = (request) => {
    const { result } = session.ask('Profiler.takePreciseCoverage');
    const now = seconds();
    for (const script of result) {
      if (isInternal(script.url)) continue;
      const key = script.scriptId + ' ' + script.url;
      let index = scripts.get(key);
      if (index === undefined) {
        index = scripts.size;
        scripts.set(key, index);
        tell(['S', index, script.url.slice(0, 4000)]);
      }
      for (const one of script.functions) {
        const range = one.ranges[0];
        if (!range.count) continue;
        const place = index + ' ' + range.startOffset + ' ' + range.endOffset;
        if (known.has(place)) continue;
        if (known.size >= FUNCTIONS_MAX) {
          note('more than ' + FUNCTIONS_MAX + ' functions were called');
          continue;
        }
        known.add(place);
        tell(['F', now, index, one.functionName.slice(0, NAME_MAX), range.startOffset,
          range.endOffset, request]);
      }
    }
    save();
    return now;
  };

  let taking = false;
  let cost = 0;
  let due = 0;
  const flush = (final, request) => {
    if (taking) return;
    taking = true;
    const before = Number(seconds());
    try {
      const now = take(request || '');
      append(path + '.beat', stringify([now, final]) + ' \n', 0);
    } catch (error) {
      try {
        note('the recorder failed: ' + (error.code || error.message));
        save();
      } catch (again) {
        // Then the last line stays away, and that is noticed.
      }
    }
    taking = false;
    cost = (Number(seconds()) - before) * 1000;
    due = before * 1000 + Math.min(WAIT_MAX, Math.max(TICK, cost * SHARE));
  };

  let stopped = false;
  const tick = () => {
    try {
      watchServers();
      if (!stopped && exists(STOP)) {
        stopped = true;
        flush(false);
      } else if (Number(seconds()) * 1000 >= due - TICK / 2) {
        flush(false);
      }
    } finally {
      later(tick, TICK).unref();
    }
  };

  // The end, in each way that can be heard of.
  const { emit, reallyExit, kill, abort, execve } = self;
  self.emit = function (name) {
    try {
      return apply(emit, this, arguments);
    } finally {
      if (name === 'exit') flush(self._exiting === true); // some pretend it
    }
  };
  const before = (name, original, wanted) => {
    if (typeof original !== 'function') return;
    const replaced = function () {
      const ends = wanted(arguments);
      if (ends) flush(true);
      try {
        return apply(original, this, arguments);
      } finally {
        if (ends) flush(false); // it did not
      }
    };
    Object.defineProperty(replaced, 'name', { value: original.name });
    self[name] = replaced;
  };
  before('reallyExit', reallyExit, () => true);
  if (thread === 0) {
    before('abort', abort, () => true);
    before('execve', execve, () => true);
  }
  const isMine = (id) => Number(id) === number || Number(id) <= 0;
  before('kill', kill, (given) => given[1] !== 0 && isMine(given[0]));

  // A signal nobody waits for ends the process. The handle is no listener: the program
  // neither sees it nor is kept from anything.
  const hear = (Signal, name) => {
    const handle = new Signal();
    handle.unref();
    handle.onsignal = () => {
      const unheard = self.listenerCount(name) === 0;
      flush(unheard);
      if (!unheard) return;
      handle.close();
      apply(kill, self, [number, name]);
      // Still here: the first process of a container.
      flush(false);
      later(() => hear(Signal, name), 100).unref();
    };
    handle.start(SIGNALS[name]);
  };
  const signalHandle = () => {
    // The class is nowhere to be had, but such an object is made for each listener.
    let found;
    const hook = require('async_hooks').createHook({
      init(id, type, trigger, resource) {
        if (type === 'SIGNALWRAP') found = resource.constructor;
      },
    });
    const nothing = () => {};
    hook.enable();
    try {
      self.on('SIGUSR2', nothing);
    } finally {
      hook.disable();
      self.removeListener('SIGUSR2', nothing);
    }
    return found;
  };
  if (thread === 0) {
    try {
      const Signal = signalHandle();
      for (const name of Object.keys(SIGNALS)) hear(Signal, name);
    } catch (error) {
      // Then such an end has no last line, and that is a reason for itself.
    }
  }

  // Threads: each has to say hello by itself.
  try {
    const threads = require('worker_threads');
    const { Worker } = threads;
    threads.Worker = new Proxy(Worker, {
      construct(target, given, made) {
        const worker = Reflect.construct(target, given, made);
        tell(['W', worker.threadId]);
        return worker;
      },
    });
    const { syncBuiltinESMExports } = require('module');
    if (syncBuiltinESMExports) syncBuiltinESMExports();
  } catch (error) {
    note('threads cannot be listened to: ' + error.message);
  }

  // Requests: what one that is answered alone calls first is known by its coverage.
  let watching = false;
  let active = 0;
  let alone = null;
  const answered = new Set();
  const watchServers = () => {
    if (watching || !self.moduleLoadList.includes('NativeModule http')) return;
    watching = true;
    const { Server } = require('http');
    const original = Server.prototype.emit;
    Server.prototype.emit = function (name, request, response) {
      if (name === 'request') {
        try {
          enter(request, response);
        } catch (error) {
          note('requests cannot be told: ' + error.message);
        }
      }
      return apply(original, this, arguments);
    };
  };
  const enter = (request, response) => {
    active += 1;
    let mine = null;
    if (active === 1) {
      const name = request.method + ' ' + request.url.split('?', 1)[0].slice(0, 200);
      if (!answered.has(name) && answered.size < REQUESTS_MAX) {
        answered.add(name);
        flush(false);
        mine = alone = { name };
      }
    } else {
      alone = null;
    }
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      active -= 1;
      if (mine && alone === mine) {
        alone = null;
        flush(false, mine.name);
      }
    };
    response.once('finish', leave);
    response.once('close', leave);
  };

  flush(false);
  later(tick, TICK).unref();
};

if (Number(process.versions.node.split('.')[0]) >= 12 && !process.versions.bun &&
    !(typeof Deno === 'object')) {
  begin();
}
