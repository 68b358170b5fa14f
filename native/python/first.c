/* Tells Python code of the first call of each code object, for interpreters before 3.12.
 *
 * An extension module without any dependency, not even on libc: it loads into every
 * interpreter from 3.6 on, with glibc and with musl. What a version lacks is a weak
 * symbol. Declared here by hand and not by Python.h because one file serves all.
 */
typedef struct object PyObject;
typedef long Py_ssize_t;
typedef PyObject *(*function)(PyObject *, PyObject *);
typedef PyObject *(*evaluate)(void *state, void *frame, int is_throw);
typedef int (*trace)(PyObject *self, PyObject *frame, int what, PyObject *argument);

#define WEAK __attribute__((weak))
#define EXPORTED __attribute__((visibility("default")))
#define CALL 0 /* PyTrace_CALL */
#define NO_ARGUMENTS 4 /* METH_NOARGS */
#define ONE_ARGUMENT 8 /* METH_O */
#define LIMITED_API 3 /* PYTHON_ABI_VERSION */
/* Of f_code in PyFrameObject of 3.6 to 3.10, and in _PyInterpreterFrame of 3.11. */
#define CODE_OFFSET 32

struct method {
	const char *name;
	function call;
	int flags;
	const char *text;
};

struct definition { /* PyModuleDef */
	Py_ssize_t references;
	void *type;
	void *init;
	Py_ssize_t index;
	void *copy;
	const char *name;
	const char *text;
	Py_ssize_t size;
	struct method *methods;
	void *rest[4];
};

extern PyObject *PyModule_Create2(struct definition *, int);
extern PyObject *PyLong_FromLong(long);
extern PyObject *PyObject_CallFunctionObjArgs(PyObject *, ...);
extern PyObject *PyExc_RecursionError;
extern int PyErr_ExceptionMatches(PyObject *);
extern void PyErr_Clear(void);
extern void Py_IncRef(PyObject *);
extern void Py_DecRef(PyObject *);
extern void PyEval_SetProfile(trace, PyObject *);
extern WEAK Py_ssize_t _PyEval_RequestCodeExtraIndex(void *);
extern WEAK int _PyCode_GetExtra(PyObject *, Py_ssize_t, void **);
extern WEAK int _PyCode_SetExtra(PyObject *, Py_ssize_t, void *);
extern WEAK void *PyInterpreterState_Get(void);
extern WEAK void _PyInterpreterState_SetEvalFrameFunc(void *, evaluate);
extern WEAK evaluate _PyInterpreterState_GetEvalFrameFunc(void *);
extern WEAK PyObject *_PyEval_EvalFrameDefault(void *, void *, int);

static PyObject *listener;
static Py_ssize_t slot = -1;
static evaluate before;

/* The mark lives and dies with the code object: no address is ever taken for another. */
static int entered(PyObject *code)
{
	void *mark = 0;
	PyObject *answer;

	if (_PyCode_GetExtra(code, slot, &mark) || mark)
		return 0;
	_PyCode_SetExtra(code, slot, (void *)1);
	answer = PyObject_CallFunctionObjArgs(listener, code, (PyObject *)0);
	if (answer) {
		Py_DecRef(answer);
		return 0;
	}
	_PyCode_SetExtra(code, slot, (void *)0);
	/* No stack was left for it, and the next call is as good; anything else was raised
	 * by a signal handler and is the program's. */
	if (!PyErr_ExceptionMatches(PyExc_RecursionError))
		return -1;
	PyErr_Clear();
	return 0;
}

static PyObject *on_frame(void *state, void *frame, int is_throw)
{
	if (!is_throw && entered(*(PyObject **)((char *)frame + CODE_OFFSET)))
		is_throw = 1;
	return before(state, frame, is_throw);
}

static int on_event(PyObject *self, PyObject *frame, int what, PyObject *argument)
{
	(void)self;
	(void)argument;
	if (what != CALL)
		return 0;
	return entered(*(PyObject **)((char *)frame + CODE_OFFSET));
}

static PyObject *take(PyObject *given)
{
	if (slot < 0 && _PyEval_RequestCodeExtraIndex && _PyCode_GetExtra && _PyCode_SetExtra)
		slot = _PyEval_RequestCodeExtraIndex((void *)0);
	if (slot < 0 || listener)
		return PyLong_FromLong(0);
	Py_IncRef(given);
	listener = given;
	return PyLong_FromLong(1);
}

/* listen_frames(listener) -> 1, or 0 where the interpreter cannot do it */
static PyObject *listen_frames(PyObject *self, PyObject *given)
{
	PyObject *taken;

	(void)self;
	if (!PyInterpreterState_Get || !_PyInterpreterState_SetEvalFrameFunc ||
	    !_PyInterpreterState_GetEvalFrameFunc || listener)
		return PyLong_FromLong(0);
	taken = take(given);
	if (!listener)
		return taken;
	before = _PyInterpreterState_GetEvalFrameFunc(PyInterpreterState_Get());
	_PyInterpreterState_SetEvalFrameFunc(PyInterpreterState_Get(), on_frame);
	return taken;
}

/* listen_thread(listener) -> 1; listens to the calling thread, once in each thread */
static PyObject *listen_thread(PyObject *self, PyObject *given)
{
	(void)self;
	if (!listener)
		Py_DecRef(take(given));
	if (listener != given)
		return PyLong_FromLong(0);
	PyEval_SetProfile(on_event, given);
	return PyLong_FromLong(1);
}

/* is_listening() -> 1 while nothing has replaced the listener to frames */
static PyObject *is_listening(PyObject *self, PyObject *none)
{
	(void)self;
	(void)none;
	return PyLong_FromLong(
		before && _PyInterpreterState_GetEvalFrameFunc(PyInterpreterState_Get()) == on_frame);
}

/* stop() -> 0; for an interpreter that turns out to be built otherwise */
static PyObject *stop(PyObject *self, PyObject *none)
{
	(void)self;
	(void)none;
	if (before)
		_PyInterpreterState_SetEvalFrameFunc(PyInterpreterState_Get(), before);
	else
		PyEval_SetProfile((trace)0, (PyObject *)0);
	before = 0;
	return PyLong_FromLong(0);
}

static struct method methods[] = {
	{ "listen_frames", listen_frames, ONE_ARGUMENT, 0 },
	{ "listen_thread", listen_thread, ONE_ARGUMENT, 0 },
	{ "is_listening", is_listening, NO_ARGUMENTS, 0 },
	{ "stop", stop, NO_ARGUMENTS, 0 },
	{ 0, 0, 0, 0 },
};

static struct definition module = {
	.references = 1,
	.name = "_vexxy_first",
	.size = -1,
	.methods = methods,
};

EXPORTED PyObject *PyInit__vexxy_first(void)
{
	return PyModule_Create2(&module, LIMITED_API);
}
