def vertex_columns(*a): raise NotImplementedError
