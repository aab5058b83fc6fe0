package statemachine

// Message is what the loop tells a process of its own accord: an answer to one
// of its effects. Machine.Message makes an input of it. The errors in messages
// are what a journal keeps of them, so that a replay steps the same: a text, what
// of this package's errors they are, and of a crash no stack and no value.
//
// It is one of Continue, Timeout, Reply, MonitorDown, Exit, Undelivered,
// TaskDone and ChildReply.
type Message interface{ message() }

// Continue is what Fx.Continue asked for. OTP: handle_continue.
type Continue struct{ Tag string }

// Timeout says that it is time: of Fx.SetTimer or SetPeriodic. OTP: {timeout,
// TimerRef, Msg}.
type Timeout struct{ Timer string }

// Reply is the answer to a To.Call: To.Output makes an output of it.
type Reply struct {
	Tag  string
	Name Name // the process that was called
	// Err is a *CallError, which says what became of the input, or nil.
	Err error

	output any
}

// NewReply returns the answer to a call: the output, or an error.
func NewReply(tag string, name Name, output any, err error) Reply {
	return Reply{Tag: tag, Name: name, Err: err, output: output}
}

// MonitorDown says that a process that is monitored has ended. OTP: {'DOWN', …}.
type MonitorDown struct {
	Name   Name
	Reason Reason
}

// Exit says that a process that is linked has ended. OTP: {'EXIT', From, Reason}.
type Exit struct {
	Name   Name
	Reason Reason
}

// Undelivered says that a To.Cast did not get to its process. Where there is no
// room for one for each, as in a flood, one stands for all, whoever they were to,
// until it is stepped.
type Undelivered struct {
	To  Name
	Err error // a *CallError
}

// TaskDone is the end of a task's work: Task.Result makes its result of it.
type TaskDone struct {
	Tag  string
	Task string // its name
	ID   TaskID
	// Err is the error of the last try: a *CrashError, or one that has but the
	// text of what the task returned; nil if there is a result.
	Err error

	result any
}

// NewTaskDone returns the end of a work: the result, or an error.
func NewTaskDone(tag, task string, id TaskID, result any, err error) TaskDone {
	return TaskDone{Tag: tag, Task: task, ID: id, Err: err, result: result}
}

// ChildReply is a supervisor's answer to what was asked of it.
type ChildReply struct {
	Tag        string
	Sup, Child Name
	Err        error // nil: it is done
}

func (Continue) message()    {}
func (Timeout) message()     {}
func (Reply) message()       {}
func (MonitorDown) message() {}
func (Exit) message()        {}
func (Undelivered) message() {}
func (TaskDone) message()    {}
func (ChildReply) message()  {}

// lastingMessage returns m with such errors as a journal keeps.
func lastingMessage(m Message) Message {
	switch m := m.(type) {
	case Reply:
		m.Err = lasting(m.Err)
		return m
	case MonitorDown:
		m.Reason.Detail = lasting(m.Reason.Detail)
		return m
	case Exit:
		m.Reason.Detail = lasting(m.Reason.Detail)
		return m
	case Undelivered:
		m.Err = lasting(m.Err)
		return m
	case TaskDone:
		m.Err = lasting(m.Err)
		return m
	case ChildReply:
		m.Err = lasting(m.Err)
		return m
	}
	return m
}
