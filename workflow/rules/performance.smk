rule evaluate:
    input:
        predictions=lambda w: [f"{OUT}/tasks/{w.task}/{m}/predictions.h5" for m in methods(w.task)],
        config=ancient(CONFIG),
    output:
        # One list a task: which tables there are depends on its methods.
        table_paths(f"{OUT}/tasks/{{task}}/tables", []),
